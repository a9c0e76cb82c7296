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

/// Every second request has a body.
fn ask(connection: &Connection, number: u8) -> JoinHandle<Bytes> {
    let mut connection = connection.share().unwrap().ending_apart();
    let body = if number.is_multiple_of(2) { Bytes::new() } else { Bytes::from_static(b"0123456789") };
    let request = Request::post("/x").header("host", "a").body(Full::new(body)).unwrap();
    tokio::spawn(async move {
        let response = connection.send(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    })
}

/// Kind, flags, stream and length of each whole frame.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u8, u8, usize)> {
    let mut all = vec![];
    while bytes.len() >= FRAME_HEAD_BYTES {
        let length = usize::from(bytes[2]);
        all.push((bytes[3], bytes[4], bytes[8], length));
        bytes = &bytes[FRAME_HEAD_BYTES + length..];
    }
    assert!(bytes.is_empty(), "the read ends with a frame");
    all
}

/// All of the requests but their last frames.
async fn read_most(far: &mut Far) -> Vec<(u8, u8, u8, usize)> {
    let (mut come, mut heads) = (vec![], 0);
    // Of every second one, all but the last byte of the body as well.
    while heads < usize::from(REQUESTS) + usize::from(REQUESTS / 2) {
        far.0.readable().await.unwrap();
        let mut part = [0; 4096];
        let Ok(count) = far.0.try_read(&mut part) else { continue };
        come.extend_from_slice(&part[..count]);
        heads = frames(&come).iter().filter(|(kind, ..)| [HEADERS, DATA].contains(kind)).count();
    }
    frames(&come)
}

#[tokio::test]
async fn the_last_frames_of_all_requests_arrive_in_one_read_and_not_before() {
    let (connection, mut far) = connected_over(Valve::bundle).await;
    let asked: Vec<_> = (0..REQUESTS).map(|number| ask(&connection, number)).collect();
    let valve = connection.valve();
    valve.gathered(REQUESTS.into()).await;
    let most = read_most(&mut far).await;
    assert!(
        most.iter().all(|(kind, flags, ..)| ![HEADERS, DATA].contains(kind) || flags & END_STREAM == 0),
        "{most:?}"
    );
    assert_eq!(far.0.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(valve.let_go(Instant::now(), REQUESTS.into()));
    valve.announce();
    far.0.readable().await.unwrap();
    let mut read = [0; 4096];
    let count = far.0.try_read(&mut read).unwrap();
    let last = frames(&read[..count]);
    assert!(last.iter().all(|(kind, flags, ..)| (*kind, *flags) == (DATA, END_STREAM)), "{last:?}");
    let mut streams: Vec<u8> = last.iter().map(|(.., stream, _)| *stream).collect();
    streams.sort_unstable();
    assert_eq!(streams, (0..REQUESTS).map(|number| 2 * number + 1).collect::<Vec<_>>());
    for stream in streams {
        far.answer(stream).await;
        far.write(DATA, END_STREAM, stream, b"done").await;
    }
    for asked in asked {
        assert_eq!(asked.await.unwrap(), "done");
    }
    assert!(valve.marks().sent.is_some() && valve.marks().released.is_some_and(|(_, company)| company == 20));
}

#[tokio::test]
async fn who_comes_after_the_others_have_gone_is_not_kept() {
    let (connection, mut far) = connected_over(Valve::bundle).await;
    let first = ask(&connection, 1);
    let valve = connection.valve();
    valve.gathered(1).await;
    assert!(valve.let_go(Instant::now(), 1));
    valve.announce();
    let second = ask(&connection, 2);
    let mut ended = 0;
    let mut come = vec![];
    while ended < 2 {
        far.0.readable().await.unwrap();
        let mut part = [0; 4096];
        let Ok(count) = far.0.try_read(&mut part) else { continue };
        come.extend_from_slice(&part[..count]);
        ended = frames(&come).iter().filter(|(kind, flags, ..)| *kind == DATA && flags & END_STREAM != 0).count();
    }
    assert!(!valve.let_go(Instant::now(), 1), "nothing is kept any longer");
    for stream in [1, 3] {
        far.answer(stream).await;
        far.write(DATA, END_STREAM, stream, b"done").await;
    }
    assert_eq!((first.await.unwrap(), second.await.unwrap()), ("done".into(), "done".into()));
}
