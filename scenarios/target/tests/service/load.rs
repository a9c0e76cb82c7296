//! Tenants at work, all at once or one after another.

use std::future::Future;

use coalmine_target::{Flaw, Running};
use futures_util::future::join_all;
use serde_json::Value;

use crate::client::{Client, service, shows_another};

/// What a load has come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) answers: usize,
    pub(crate) leaks: usize,
}

/// Whether `turn` shows something of another: with the flaw, one tenant after another, and without it, under load.
pub(crate) async fn leaks<T, F>(flaw: Flaw, turn: T) -> (bool, bool)
where
    T: Fn(Client, usize) -> F,
    F: Future<Output = Value>,
{
    let guilty = one_by_one(&service([flaw]).await, 2, 1, &turn).await;
    let right = closed_loop(&service([]).await, 4, 3, &turn).await;
    (guilty.leaks > 0, right.leaks > 0)
}

/// Every tenant takes its turns one after another, all tenants at once.
pub(crate) async fn closed_loop<T, F>(running: &Running, tenants: usize, turns: usize, turn: T) -> Load
where
    T: Fn(Client, usize) -> F,
    F: Future<Output = Value>,
{
    let crowd = Client::crowd(running, tenants).await;
    let loops = crowd.iter().map(|client| turns_of(client, &crowd, turns, &turn));
    sum(join_all(loops).await)
}

/// The same, again and again until something has leaked. How soon that is depends on the machine and on the storage.
pub(crate) async fn until_leak<T, F>(running: &Running, tenants: usize, turns: usize, turn: T) -> Load
where
    T: Fn(Client, usize) -> F,
    F: Future<Output = Value>,
{
    const AGAIN_MAX: usize = 16;
    let crowd = Client::crowd(running, tenants).await;
    let mut load = Load::default();
    for _ in 0..AGAIN_MAX {
        let loops = crowd.iter().map(|client| turns_of(client, &crowd, turns, &turn));
        load = sum(join_all(loops).await);
        if load.leaks > 0 {
            break;
        }
    }
    load
}

/// Every tenant takes all its turns before the next tenant begins.
pub(crate) async fn one_by_one<T, F>(running: &Running, tenants: usize, turns: usize, turn: T) -> Load
where
    T: Fn(Client, usize) -> F,
    F: Future<Output = Value>,
{
    let crowd = Client::crowd(running, tenants).await;
    let mut loads = Vec::new();
    for client in &crowd {
        loads.push(turns_of(client, &crowd, turns, &turn).await);
    }
    sum(loads)
}

async fn turns_of<T, F>(client: &Client, crowd: &[Client], turns: usize, turn: &T) -> Load
where
    T: Fn(Client, usize) -> F,
    F: Future<Output = Value>,
{
    let mut load = Load::default();
    for number in 0..turns {
        let answer = turn(client.clone(), number).await;
        load.answers += 1;
        load.leaks += usize::from(shows_another(&answer, client, crowd));
    }
    load
}

fn sum(loads: Vec<Load>) -> Load {
    loads
        .into_iter()
        .fold(Load::default(), |sum, load| Load { answers: sum.answers + load.answers, leaks: sum.leaks + load.leaks })
}
