//! What really arrives when a valve stops, holds and hangs up between the frames of HTTP/2.

use bytes::Bytes;
use coalmine_core::history::ConnectionId;
use coalmine_core::plan::HttpVersion;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::tests::pair;
use super::*;
use crate::exchange::Connection;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_HEADERS: u8 = 4;
const CANCEL: &[u8] = &[0, 0, 0, 8];
const PREFACE_BYTES: usize = 24;
const BODY: &[u8] = b"0123456789";

pub(super) struct Far(pub(super) TcpStream);

struct Arrived {
    kind: u8,
    stream: u8,
    payload: Vec<u8>,
}

impl Far {
    /// Reads up to a frame of this kind; `missing` bytes of it are not waited for.
    async fn read(&mut self, kind: u8, missing: usize) -> io::Result<Arrived> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await?;
            let len = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
            let mut payload = vec![0; if head[3] == kind { len - missing } else { len }];
            self.0.read_exact(&mut payload).await?;
            if head[3] == kind {
                return Ok(Arrived { kind, stream: head[8], payload });
            }
        }
    }

    pub(super) async fn write(&mut self, kind: u8, flags: u8, stream: u8, payload: &[u8]) {
        let len = u8::try_from(payload.len()).unwrap();
        let frame = [&[0, 0, len, kind, flags, 0, 0, 0, stream], payload].concat();
        self.0.write_all(&frame).await.unwrap();
    }

    /// The head of an answer of status 200.
    pub(super) async fn answer(&mut self, stream: u8) {
        self.write(HEADERS, END_HEADERS, stream, &[0x88]).await;
    }
}

async fn connected() -> (Connection, Far) {
    connected_over(|_| {}).await
}

/// The same over a valve that is prepared for it.
pub(super) async fn connected_over(prepare: impl FnOnce(&Valve)) -> (Connection, Far) {
    let (near, mut far) = pair().await;
    prepare(near.valve());
    let connection = Connection::handshake(ConnectionId(0), near, HttpVersion::Http2).await.unwrap();
    far.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
    let mut far = Far(far);
    far.write(SETTINGS, 0, 0, &[]).await;
    // Its own, and that it has read ours: a connection that is closed before it has read all ends with RST.
    for _ in 0..2 {
        far.read(SETTINGS, 0).await.unwrap();
    }
    (connection, far)
}

/// Sends a request and reads its answer; dropping the task gives the request up.
fn ask(connection: &Connection) -> JoinHandle<Option<Bytes>> {
    let mut connection = connection.share().unwrap();
    let request = Request::post("/x").header("host", "a").body(Full::new(Bytes::from_static(BODY))).unwrap();
    tokio::spawn(async move {
        let response = connection.send(request).await.ok()?;
        Some(response.into_body().collect().await.ok()?.to_bytes())
    })
}

async fn give_up(asked: JoinHandle<Option<Bytes>>) {
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn the_last_byte_of_the_last_frame_goes_when_it_is_released() {
    let (connection, mut far) = connected().await;
    let valve = connection.valve();
    valve.arm(Program { write: WriteStop::LastByte, ..Program::default() });
    let asked = ask(&connection);
    valve.stopped().await;
    let data = far.read(DATA, 1).await.unwrap();
    assert_eq!((data.stream, &data.payload[..]), (1, &BODY[..9]));
    assert_eq!(far.0.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert_eq!(valve.lock().marks.sent, None);
    valve.let_go(Instant::now(), 2);
    valve.announce();
    assert_eq!(far.0.read_u8().await.unwrap(), BODY[9]);
    far.answer(1).await;
    far.write(DATA, 1, 1, b"done").await;
    assert_eq!(asked.await.unwrap().unwrap(), "done");
    let marks = valve.disarm();
    assert!(marks.sent < marks.answered && !marks.is_early() && marks.released.is_some(), "{marks:?}");
}

#[tokio::test]
async fn a_request_that_is_given_up_resets_its_stream_and_the_connection_lives_on() {
    let points = [
        Program::default(),
        Program { read: ReadStop::StatusLine, ..Program::default() },
        Program { read: ReadStop::Body(2), ..Program::default() },
        Program { write: WriteStop::Head, ..Program::default() },
    ];
    for program in points {
        let (connection, mut far) = connected().await;
        let valve = connection.valve();
        valve.arm(program);
        let asked = ask(&connection);
        if program.write == WriteStop::None {
            valve.sent().await;
            far.read(DATA, 0).await.unwrap();
            far.answer(1).await;
            far.write(DATA, 0, 1, b"half").await;
        }
        if program != Program::default() {
            valve.stopped().await;
        }
        valve.hang_up(HangUp::Stream);
        give_up(asked).await;
        let reset = far.read(RST_STREAM, 0).await.unwrap();
        assert_eq!((reset.kind, reset.stream, &reset.payload[..]), (RST_STREAM, 1, CANCEL), "{program:?}");
        valve.disarm();
        let second = ask(&connection);
        assert_eq!(far.read(HEADERS, 0).await.unwrap().stream, 3, "{program:?}");
        far.answer(3).await;
        far.write(DATA, 1, 3, b"done").await;
        assert_eq!(second.await.unwrap().unwrap(), "done", "{program:?}");
    }
}

#[tokio::test]
async fn a_request_stops_between_its_frames_and_ends_with_the_connection() {
    let points = [(WriteStop::Nothing, None), (WriteStop::Head, Some(0)), (WriteStop::HalfBody, Some(5))];
    for (write, body_bytes) in points {
        let (connection, mut far) = connected().await;
        let valve = connection.valve();
        valve.arm(Program { write, ..Program::default() });
        let asked = ask(&connection);
        valve.stopped().await;
        valve.hang_up(HangUp::Close);
        assert_eq!(asked.await.unwrap(), None);
        let headers = far.read(HEADERS, 0).await;
        assert_eq!(headers.is_ok(), body_bytes.is_some(), "{write:?}");
        if let Some(bytes) = body_bytes {
            let mut rest = vec![];
            far.0.read_to_end(&mut rest).await.unwrap();
            let head = if bytes > 0 { 9 } else { 0 };
            assert_eq!(&rest[rest.len() - bytes..], &BODY[..bytes], "{write:?}");
            assert!(rest.len() <= head + bytes, "{write:?}: {rest:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_says_so() {
    let (connection, mut far) = connected().await;
    let valve = connection.valve();
    valve.arm(Program { write: WriteStop::LastByte, ..Program::default() });
    let asked = ask(&connection);
    valve.stopped().await;
    valve.hang_up(HangUp::Reset);
    assert_eq!(asked.await.unwrap(), None);
    let end = far.0.read_to_end(&mut vec![]).await;
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_early_answer_leaves_nothing_behind_for_the_next_request() {
    let (connection, mut far) = connected().await;
    let valve = connection.valve();
    valve.arm(Program { write: WriteStop::LastByte, ..Program::default() });
    let asked = ask(&connection);
    valve.stopped().await;
    far.answer(1).await;
    far.write(DATA, 1, 1, b"early").await;
    assert_eq!(asked.await.unwrap().unwrap(), "early");
    assert!(valve.disarm().is_early());
    let second = ask(&connection);
    assert_eq!(far.read(DATA, 0).await.unwrap().payload, BODY);
    assert_eq!(far.read(HEADERS, 0).await.unwrap().stream, 3);
    far.answer(3).await;
    far.write(DATA, 1, 3, b"done").await;
    assert_eq!(second.await.unwrap().unwrap(), "done");
}

#[tokio::test]
async fn slow_frames_arrive_whole_and_so_do_slowly_read_ones() {
    let slow = [
        Pace::Write { slice_bytes: 7, pause_us: 1, pauses_max: 4 },
        Pace::Read { slice_bytes: 3, pause_us: 1, pauses_max: 4 },
    ];
    for pace in slow {
        let (connection, mut far) = connected().await;
        let valve = connection.valve();
        valve.arm(Program { pace, ..Program::default() });
        let asked = ask(&connection);
        let data = far.read(DATA, 0).await.unwrap();
        assert_eq!((data.stream, &data.payload[..]), (1, BODY), "{pace:?}");
        far.answer(1).await;
        far.write(DATA, 1, 1, b"done").await;
        assert_eq!(asked.await.unwrap().unwrap(), "done", "{pace:?}");
        assert_eq!(valve.disarm().pauses, 4, "{pace:?}");
    }
}

#[tokio::test]
async fn silence_after_the_fields_keeps_the_connection_open_and_says_nothing() {
    let (connection, mut far) = connected().await;
    let valve = connection.valve();
    valve.arm(Program { write: WriteStop::Head, ..Program::default() });
    let asked = ask(&connection);
    valve.stopped().await;
    valve.hang_up(HangUp::Silence);
    assert_eq!(far.read(HEADERS, 0).await.unwrap().stream, 1);
    // What it would have to answer it does not.
    far.write(SETTINGS, 0, 0, &[]).await;
    assert_eq!(far.0.try_read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(!asked.is_finished());
    asked.abort();
}
