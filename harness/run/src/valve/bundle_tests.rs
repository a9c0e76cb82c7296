//! What really arrives when the last frames of many requests go out by one write.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use tokio::task::JoinHandle;

use super::frame_tests::{DATA, Far, HEADERS, connected_over};
use super::*;
use crate::exchange::Connection;

const REQUESTS: u8 = 20;
const END_STREAM: u8 = 1;
const FRAME_HEAD_BYTES: usize = 9;

fn ask(connection: &Connection, body: &'static [u8]) -> JoinHandle<Bytes> {
    let mut connection = connection.share().unwrap().ending_apart();
    let request = Request::post("/x").header("host", "a").body(Full::new(Bytes::from_static(body))).unwrap();
    tokio::spawn(async move {
        let response = connection.send(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    })
}

/// Kind, flags, stream and length of each whole frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u8, usize)> {
    let mut all = vec![];
    while bytes.len() >= FRAME_HEAD_BYTES {
        let length = usize::from(u16::from_be_bytes([bytes[1], bytes[2]]));
        all.push((bytes[3], bytes[4], bytes[8], length));
        bytes = &bytes[FRAME_HEAD_BYTES + length..];
    }
    assert!(bytes.is_empty(), "the read ends with a frame");
    all
}

type Arrived = Vec<(u8, u8, u8, usize)>;

/// Frames of streams, until so many have come.
async fn read_of_streams(far: &mut Far, wanted: usize) -> Arrived {
    let mut come = vec![];
    loop {
        let all: Arrived = frames(&come).into_iter().filter(|(.., stream, _)| *stream > 0).collect();
        if all.len() >= wanted {
            return all;
        }
        far.0.readable().await.unwrap();
        let mut part = [0; 4096];
        let Ok(count) = far.0.try_read(&mut part) else { continue };
        come.extend_from_slice(&part[..count]);
    }
}

/// What one read brings once all are let go; nothing of it has come before.
async fn read_at_once(valve: &Valve, far: &mut Far) -> Arrived {
    assert_eq!(far.0.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(valve.let_go(Instant::now(), REQUESTS.into()));
    valve.announce();
    far.0.readable().await.unwrap();
    let mut read = [0; 1 << 14];
    let count = far.0.try_read(&mut read).unwrap();
    frames(&read[..count])
}

async fn answer_all(far: &mut Far, asked: Vec<JoinHandle<Bytes>>) {
    for (stream, asked) in (1..).step_by(2).zip(asked) {
        far.answer(stream).await;
        far.write(DATA, END_STREAM, stream, b"done").await;
        assert_eq!(asked.await.unwrap(), "done");
    }
}

fn ends(frames: &Arrived) -> Vec<u8> {
    let mut ends: Vec<u8> =
        frames.iter().filter(|(_, flags, ..)| flags & END_STREAM != 0).map(|(.., stream, _)| *stream).collect();
    ends.sort_unstable();
    ends
}

fn all_streams() -> Vec<u8> {
    (0..REQUESTS).map(|number| 2 * number + 1).collect()
}

#[tokio::test]
async fn the_last_frames_of_all_requests_arrive_in_one_read_and_not_before() {
    let (connection, mut far) = connected_over(Valve::bundle).await;
    let asked: Vec<_> = (0..REQUESTS).map(|_| ask(&connection, b"0123456789")).collect();
    let valve = connection.valve();
    valve.gathered(REQUESTS.into()).await;
    // Of each the head, and the body but for its last byte.
    let most = read_of_streams(&mut far, 2 * usize::from(REQUESTS)).await;
    assert_eq!(ends(&most), [0; 0], "{most:?}");
    let last = read_at_once(valve, &mut far).await;
    assert!(last.iter().all(|(kind, .., length)| (*kind, *length) == (DATA, 1)), "{last:?}");
    assert_eq!((last.len(), ends(&last)), (REQUESTS.into(), all_streams()));
    answer_all(&mut far, asked).await;
    assert!(valve.marks().sent.is_some() && valve.marks().released.is_some_and(|(_, company)| company == 20));
}

#[tokio::test]
async fn requests_without_a_body_wait_whole_and_what_comes_after_them_keeps_its_order() {
    let (connection, mut far) = connected_over(Valve::bundle).await;
    let bodies: [&[u8]; 4] = [b"", b"0123456789", b"1", &[b'x'; 700]];
    let asked: Vec<_> = bodies.iter().cycle().take(REQUESTS.into()).map(|body| ask(&connection, body)).collect();
    let valve = connection.valve();
    valve.gathered(REQUESTS.into()).await;
    let at_once = read_at_once(valve, &mut far).await;
    assert_eq!(ends(&at_once), all_streams());
    let heads: Vec<u8> = at_once.iter().filter(|(kind, ..)| *kind == HEADERS).map(|(.., stream, _)| *stream).collect();
    assert_eq!(heads, all_streams(), "in the order in which they were made");
    let bytes = |wanted: u8| -> usize {
        at_once
            .iter()
            .filter(|(kind, _, stream, _)| (*kind, *stream) == (DATA, wanted))
            .map(|(.., length)| length)
            .sum()
    };
    let mut lengths: Vec<usize> = all_streams().into_iter().map(bytes).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [[0; 5], [1; 5], [10; 5], [700; 5]].concat());
    answer_all(&mut far, asked).await;
}

#[tokio::test]
async fn who_comes_after_the_others_have_gone_is_not_kept() {
    let (connection, mut far) = connected_over(Valve::bundle).await;
    let first = ask(&connection, b"0123456789");
    let valve = connection.valve();
    valve.gathered(1).await;
    assert!(valve.let_go(Instant::now(), 1));
    valve.announce();
    let second = ask(&connection, b"");
    let mut ended = 0;
    let mut come = vec![];
    while ended < 2 {
        far.0.readable().await.unwrap();
        let mut part = [0; 4096];
        let Ok(count) = far.0.try_read(&mut part) else { continue };
        come.extend_from_slice(&part[..count]);
        ended = ends(&frames(&come)).len();
    }
    assert!(!valve.let_go(Instant::now(), 1), "nothing is kept any longer");
    for stream in [1, 3] {
        far.answer(stream).await;
        far.write(DATA, END_STREAM, stream, b"done").await;
    }
    assert_eq!((first.await.unwrap(), second.await.unwrap()), ("done".into(), "done".into()));
}
