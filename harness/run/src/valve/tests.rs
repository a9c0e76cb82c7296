//! What really arrives on the wire when a valve stops, holds, slices and hangs up.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::tcp::Tcp;

const REQUEST: &[u8] = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n0123456789";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody";

pub(crate) async fn pair() -> (Valved, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    near.set_nodelay(true).unwrap();
    let (far, _) = listener.accept().await.unwrap();
    (Valved::new(Socket::Tcp(Tcp(Arc::new(near)))), far)
}

/// Writes until the valve says that it stopped, then gives up so; what the other side has got then, and how it ended.
async fn cut(write: WriteStop, by: HangUp) -> (Vec<u8>, io::Result<usize>) {
    let (mut near, mut far) = pair().await;
    let valve = Arc::clone(near.valve());
    valve.arm(Program { write, ..Program::default() });
    let writing = tokio::spawn(async move {
        // It fails when the valve hangs up.
        let _ = near.write_all(REQUEST).await;
        let _ = near.read_u8().await;
    });
    valve.stopped().await;
    valve.hang_up(by);
    writing.await.unwrap();
    let mut got = vec![];
    let end = far.read_to_end(&mut got).await;
    (got, end)
}

#[tokio::test]
async fn a_request_stops_at_every_point_and_ends_with_fin() {
    let head = REQUEST.len() - 10;
    let points = [
        (WriteStop::Nothing, 0),
        (WriteStop::Head, head),
        (WriteStop::HalfBody, head + 5),
        (WriteStop::LastByte, head + 9),
    ];
    for (point, bytes) in points {
        let (got, end) = cut(point, HangUp::Close).await;
        assert_eq!(got, &REQUEST[..bytes], "{point:?}");
        assert!(end.is_ok(), "{point:?}: {end:?}");
    }
}

#[tokio::test]
async fn a_reset_arrives_as_a_reset() {
    for point in [WriteStop::Nothing, WriteStop::Head, WriteStop::LastByte] {
        let (_, end) = cut(point, HangUp::Reset).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "{point:?}");
    }
}

#[tokio::test]
async fn the_last_byte_goes_when_it_is_released_and_not_before() {
    let (mut near, mut far) = pair().await;
    let valve = Arc::clone(near.valve());
    valve.arm(Program { write: WriteStop::LastByte, ..Program::default() });
    near.write_all(REQUEST).await.unwrap();
    valve.stopped().await;
    let mut got = vec![0; REQUEST.len() - 1];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(valve.lock().marks.sent, None);
    assert!(valve.let_go(Instant::now(), 2));
    valve.announce();
    assert_eq!(far.read_u8().await.unwrap(), b'9');
    let marks = valve.disarm();
    assert!(marks.sent.is_some() && marks.released.is_some_and(|(_, company)| company == 2));
    far.write_all(ANSWER).await.unwrap();
    let mut answer = vec![0; ANSWER.len()];
    near.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, ANSWER);
}

#[tokio::test]
async fn a_half_close_is_a_fin_after_which_the_answer_still_comes() {
    let (mut near, mut far) = pair().await;
    let valve = Arc::clone(near.valve());
    valve.arm(Program::default());
    near.write_all(REQUEST).await.unwrap();
    valve.sent().await;
    valve.hang_up(HangUp::HalfClose);
    let mut answer = vec![0; ANSWER.len()];
    let reading = async { near.read_exact(&mut answer).await.unwrap() };
    let serving = async {
        let mut got = vec![];
        far.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, REQUEST);
        far.write_all(ANSWER).await.unwrap();
    };
    tokio::join!(reading, serving);
    assert_eq!(answer, ANSWER);
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_stop() {
    let line = ANSWER.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for (read, bytes) in [(ReadStop::StatusLine, line), (ReadStop::Body(2), ANSWER.len() - 2)] {
        let (mut near, mut far) = pair().await;
        let valve = Arc::clone(near.valve());
        valve.arm(Program { read, ..Program::default() });
        far.write_all(ANSWER).await.unwrap();
        let mut got = vec![];
        tokio::select! {
            _ = near.read_to_end(&mut got) => panic!("it read on"),
            () = valve.stopped() => {}
        }
        assert_eq!(got, &ANSWER[..bytes], "{read:?}");
        assert!(valve.disarm().answered.is_some());
    }
}

#[tokio::test]
async fn slices_and_pauses_change_no_byte() {
    let (near, mut far) = pair().await;
    let valve = Arc::clone(near.valve());
    let (mut reader, mut writer) = tokio::io::split(near);
    for (pace, pauses) in [
        (Pace::Write { slice_bytes: 7, pause_us: 1, pauses_max: 5 }, 5),
        (Pace::Read { slice_bytes: 3, pause_us: 1, pauses_max: 4 }, 4),
    ] {
        valve.arm(Program { pace, ..Program::default() });
        writer.write_all(REQUEST).await.unwrap();
        let mut got = vec![0; REQUEST.len()];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(got, REQUEST);
        far.write_all(ANSWER).await.unwrap();
        let mut answer = vec![0; ANSWER.len()];
        reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, ANSWER);
        assert_eq!(valve.disarm().pauses, pauses);
    }
}

#[tokio::test]
async fn silence_keeps_the_connection_open_and_says_nothing() {
    let (mut near, far) = pair().await;
    let valve = Arc::clone(near.valve());
    valve.arm(Program { write: WriteStop::Head, ..Program::default() });
    {
        let writing = near.write_all(REQUEST);
        tokio::select! {
            _ = writing => panic!("it went on"),
            () = valve.stopped() => valve.hang_up(HangUp::Silence),
        }
    }
    let head = REQUEST.len() - 10;
    let mut got = vec![0; head];
    let (mut far_reader, _far_writer) = far.into_split();
    far_reader.read_exact(&mut got).await.unwrap();
    assert_eq!(far_reader.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(near);
    assert_eq!(far_reader.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn after_silence_nothing_is_read_or_written_any_more() {
    let (near, mut far) = pair().await;
    let valve = Arc::clone(near.valve());
    valve.arm(Program::default());
    let (mut reader, mut writer) = tokio::io::split(near);
    writer.write_all(REQUEST).await.unwrap();
    far.read_exact(&mut [0; REQUEST.len()]).await.unwrap();
    valve.hang_up(HangUp::Silence);
    far.write_all(ANSWER).await.unwrap();
    let reading = tokio::spawn(async move { reader.read_u8().await });
    let writing = tokio::spawn(async move { writer.write_all(REQUEST).await });
    // Both have tried, and wait.
    while valve.lock().reader.is_none() || valve.lock().writer.is_none() {
        assert!(!reading.is_finished() && !writing.is_finished());
        tokio::task::yield_now().await;
    }
    assert_eq!(far.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn an_answer_is_not_read_before_it_is_announced_that_the_request_was_let_go() {
    let (mut near, mut far) = pair().await;
    let valve = Arc::clone(near.valve());
    valve.arm(Program { write: WriteStop::LastByte, ..Program::default() });
    near.write_all(REQUEST).await.unwrap();
    assert!(valve.let_go(Instant::now(), 2));
    far.read_exact(&mut [0; REQUEST.len()]).await.unwrap();
    far.write_all(ANSWER).await.unwrap();
    near.socket().tcp().unwrap().readable().await.unwrap();
    let reading = tokio::spawn(async move { near.read_exact(&mut [0; ANSWER.len()]).await.unwrap() });
    while valve.lock().reader.is_none() {
        tokio::task::yield_now().await;
    }
    assert!(!reading.is_finished());
    valve.announce();
    assert_eq!(reading.await.unwrap(), ANSWER.len());
}

#[tokio::test]
async fn of_a_deaf_socket_nothing_is_read_until_it_is_thawed() {
    let (mut near, mut far) = pair().await;
    let valve = Arc::clone(near.valve());
    valve.deafen();
    far.write_all(b"event").await.unwrap();
    near.write_all(b"still heard").await.unwrap();
    far.read_exact(&mut [0; 11]).await.unwrap();
    let mut got = [0; 5];
    let reading = tokio::spawn(async move {
        near.read_exact(&mut got).await.unwrap();
        (near, got)
    });
    // The reader has looked, and waits.
    while valve.lock().reader.is_none() {
        tokio::task::yield_now().await;
    }
    assert!(!reading.is_finished());
    valve.thaw();
    assert!(valve.has_kept_waiting().await);
    assert_eq!(&reading.await.unwrap().1, b"event");
}

#[tokio::test]
async fn on_a_frozen_socket_nothing_is_written_or_read_until_it_thaws() {
    let (mut near, mut far) = pair().await;
    let valve = Arc::clone(near.valve());
    let frozen = valve.freeze().unwrap();
    assert!(valve.freeze().is_none(), "who froze it thaws it");
    far.write_all(b"early").await.unwrap();
    let writing = tokio::spawn(async move {
        near.write_all(b"late").await.unwrap();
        near
    });
    while valve.lock().writer.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(far.try_read(&mut [0; 4]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(frozen);
    let mut near = writing.await.unwrap();
    let mut got = [0; 5];
    far.read_exact(&mut got[..4]).await.unwrap();
    assert_eq!(&got[..4], b"late");
    near.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"early");
    assert!(!valve.is_armed.load(Ordering::Relaxed));
}
