//! The way of jobs to the workers through a list of Redis, from which one is taken when a worker is idle.

use redis::{RedisError, cmd};
use serde::{Deserialize, Serialize};

use crate::remote::Remote;
use crate::server::stopped;
use crate::service::App;

const LIST: &str = "jobs";

/// What is in the list: the number of a job, and the letterhead that it brings.
#[derive(Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) number: u64,
    pub(super) key: Option<String>,
}

/// Puts a letter into the list.
pub(super) async fn send(remote: &Remote, letter: &Letter) {
    let text = serde_json::to_string(letter).expect("a letter has string keys only");
    // Where Redis is gone, the job stays queued.
    let _ = remote.ask::<()>(cmd("LPUSH").arg(remote.name(LIST)).arg(text)).await;
}

/// Delivers letters from now on, until the service stops.
pub(super) async fn deliver(service: &App, remote: &Remote) -> Result<(), RedisError> {
    let mut connection = remote.patient().await?;
    let mut next = cmd("BRPOP");
    next.arg(remote.name(LIST)).arg(0);
    let service = App::clone(service);
    tokio::spawn(async move {
        let office = &service.leads.office;
        let letters = async {
            loop {
                office.idle_worker().await;
                let Ok((_, letter)) = next.query_async::<(String, String)>(&mut connection).await else { break };
                if let Ok(letter) = serde_json::from_str(&letter) {
                    office.receive(letter);
                }
            }
        };
        tokio::select! {
            () = letters => {}
            () = stopped(service.stopping.clone()) => {}
        }
    });
    Ok(())
}
