//! How close together requests of different tenants arrive that are meant to arrive together.
//!
//! `cargo bench -p coalmine --bench release_spread` starts a bare server in a process of its own, which only notes when the last
//! byte of each request came, and lets 20 connections send a request each, 200 times over: each as soon as it is ready; behind a
//! barrier, with an HTTP client and with bare sockets; through the engine's gate, which holds back the last byte of each, in HTTP/1.1
//! and in the last frames of HTTP/2, on 20 connections or in one packet on one; and, as the floor below which nothing on this machine
//! can come, single bytes written in a loop. What one read brings arrives at one time. The arrival spread of a round is the time from its first request to its last. All are
//! measured in turns in one run, so that the noise of the machine is in all of them alike: read the ratios.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use coalmine_core::perturb::{Gate, GateId, Via};
use coalmine_core::plan::Phase;
use coalmine_core::{Budget, Plan, Seed};
use coalmine_plan::{Overrides, Scenario, Shaking};
use coalmine_run::{Certificates, Destinations, Progress, Recorder, Secrets, Stop, run_round};
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Barrier;

const CONNECTIONS: u16 = 20;
const ROUNDS: u32 = 200;
/// The rounds are spread over so many turns.
const TURNS: u32 = 4;
const ROUNDS_EACH: u32 = ROUNDS / TURNS;
/// Every connection sends so many before anything is measured.
const WARM_UPS: u32 = 5;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: bare\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const REQUEST_BYTES_MAX: usize = 8 << 10;

/// How requests are let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Release {
    WhenReady,
    Barrier,
    BareBarrier,
    Gate,
    LastFrames,
    OnePacket,
    Floor,
}

impl Release {
    const ALL: [Self; 7] =
        [Self::WhenReady, Self::Barrier, Self::BareBarrier, Self::Gate, Self::LastFrames, Self::OnePacket, Self::Floor];

    fn name(self) -> &'static str {
        match self {
            Self::WhenReady => "send when ready",
            Self::Barrier => "barrier",
            Self::BareBarrier => "barrier, bare sockets",
            Self::Gate => "last byte (the gate)",
            Self::LastFrames => "HTTP/2 last frames",
            Self::OnePacket => "HTTP/2 last frames, 1 packet",
            Self::Floor => "floor: 20 bytes in a loop",
        }
    }
}

#[tokio::main]
async fn main() {
    if std::env::args().any(|argument| argument == "--serve") {
        return serve();
    }
    let mut server = Server::start();
    let mut spreads_us = Release::ALL.map(|release| (release, vec![]));
    for _ in 0..TURNS {
        for (release, all) in &mut spreads_us {
            match release {
                Release::WhenReady => send(&connect(server.address).await, 1).await,
                Release::Barrier => send(&connect(server.address).await, CONNECTIONS).await,
                Release::BareBarrier => send_bare(server.address).await,
                Release::Gate | Release::LastFrames | Release::OnePacket => gate(server.address, *release).await,
                Release::Floor => floor(server.address),
            }
            all.extend(server.spreads_us());
        }
    }
    print(&mut spreads_us);
}

fn print(table: &mut [(Release, Vec<u64>)]) {
    for (_, spreads_us) in table.iter_mut() {
        spreads_us.sort_unstable();
    }
    let barrier =
        table.iter().find(|(release, _)| *release == Release::Barrier).map_or(0, |(_, all)| percentile(all, 95));
    println!("arrival spread of {CONNECTIONS} requests at a bare server, {ROUNDS} rounds each");
    println!("{:<28} {:>7} {:>9} {:>9} {:>9}  p95 of the barrier's", "release", "rounds", "p50 us", "p95 us", "max us");
    for (release, all) in table {
        let [p50, p95, max] = [50, 95, 100].map(|percent| percentile(all, percent));
        #[expect(clippy::cast_precision_loss, reason = "microseconds of a benchmark are small")]
        let ratio = p95 as f64 / barrier.max(1) as f64;
        println!("{:<28} {:>7} {p50:>9} {p95:>9} {max:>9}  {ratio:.2}", release.name(), all.len());
    }
}

fn percentile(sorted: &[u64], percent: usize) -> u64 {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Connections of an HTTP client, as any load generator has them.
async fn connect(address: SocketAddr) -> Vec<Client> {
    let mut clients = vec![];
    for _ in 0..CONNECTIONS {
        let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("TCP has the option");
        let (client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("nothing is sent yet");
        tokio::spawn(connection);
        clients.push(Client(Arc::new(tokio::sync::Mutex::new(client))));
    }
    clients
}

struct Client(Arc<tokio::sync::Mutex<http1::SendRequest<Empty<Bytes>>>>);

/// A task for each request, which waits until so many stand at the barrier and then sends.
async fn send(clients: &[Client], company: u16) {
    let barrier = Arc::new(Barrier::new(usize::from(company)));
    for _ in 0..WARM_UPS + ROUNDS_EACH {
        let send_one = |client: &Client| {
            let (client, barrier) = (client.0.clone(), barrier.clone());
            tokio::spawn(async move {
                let request = Request::get("/").header(HOST, "bare").body(Empty::new()).expect("it is right");
                let mut client = client.lock().await;
                client.ready().await.expect("the server listens");
                barrier.wait().await;
                let answer = client.send_request(request).await.expect("the server answers");
                answer.into_body().collect().await.expect("the server answers to the end");
            })
        };
        for task in clients.iter().map(send_one).collect::<Vec<_>>() {
            task.await.expect("sending does not panic");
        }
    }
}

/// The same with nothing between the barrier and the system: no client, no parser, one buffer that is ready.
async fn send_bare(address: SocketAddr) {
    let barrier = Arc::new(Barrier::new(usize::from(CONNECTIONS)));
    let mut streams = vec![];
    for _ in 0..CONNECTIONS {
        let stream = tokio::net::TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("TCP has the option");
        streams.push(stream);
    }
    for _ in 0..WARM_UPS + ROUNDS_EACH {
        let send_one = |stream| tokio::spawn(send_bare_one(stream, barrier.clone()));
        for task in streams.drain(..).map(send_one).collect::<Vec<_>>() {
            streams.push(task.await.expect("sending does not panic"));
        }
    }
}

async fn send_bare_one(mut stream: tokio::net::TcpStream, barrier: Arc<Barrier>) -> tokio::net::TcpStream {
    barrier.wait().await;
    stream.write_all(REQUEST).await.expect("the server reads");
    stream.read_exact(&mut [0; ANSWER.len()]).await.expect("the server answers");
    stream
}

/// The engine itself, with a plan in which all tenants meet at a gate each time.
async fn gate(address: SocketAddr, release: Release) {
    let plan = Arc::new(plan(address, release));
    let certificates = Certificates::default();
    let destinations = Destinations::resolve(&plan.target, &certificates).await.expect("loopback is allowed");
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let recorder = Recorder::create(&folder.path().join("history"), "").expect("the folder can be written");
    let (secrets, progress) = (Arc::new(Secrets::default()), Arc::new(Progress::within(Budget::default())));
    let recorder = Arc::new(recorder);
    let destinations = Arc::new(destinations);
    let end = run_round(&plan, &destinations, &secrets, &recorder, &progress, &Stop::new()).await;
    end.expect("the round can be run");
}

fn plan(address: SocketAddr, release: Release) -> Plan {
    let rounds = WARM_UPS + ROUNDS_EACH;
    let http = if release == Release::Gate { "1.1" } else { "2" };
    let text = format!(
        "coalmine: 1\nname: spread\ntarget: {{url: 'http://{address}', http: {http}}}\ntenants: {CONNECTIONS}\n\
         canaries: {{secret: token}}\nflows:\n  read:\n    repeat: {rounds}\n    steps:\n      - {{id: read, get: /}}\n"
    );
    let scenario = Scenario::parse(&text, "spread.yaml").map_err(|errors| errors.render(false)).expect("it is right");
    let overrides = Overrides { shaking: Shaking::Off, ..Overrides::default() };
    let mut plan = coalmine_plan::plan(&scenario, Seed(1), 0, &overrides).expect("it can be planned");
    plan.gates = vec![Gate { members: CONNECTIONS }; rounds as usize];
    let is_one_packet = release == Release::OnePacket;
    plan.shared_connections = if is_one_packet { u16::try_from(rounds).expect("they are few") } else { 0 };
    for stage in plan.stages.iter_mut().filter(|stage| stage.phase == Phase::Flows) {
        for lane in &mut stage.lanes {
            for (gate, op) in (0_u16..).zip(&mut lane.ops) {
                op.manner.gate = Some(GateId(gate.into()));
                op.manner.via = if is_one_packet { Via::Shared(gate) } else { Via::Own };
            }
        }
    }
    plan
}

/// Everything but the last byte is there already; nothing but writing is done between the first and the last.
fn floor(address: SocketAddr) {
    let connect = |_| {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).expect("TCP has the option");
        stream
    };
    let mut streams: Vec<TcpStream> = (0..CONNECTIONS).map(connect).collect();
    let (head, last) = REQUEST.split_at(REQUEST.len() - 1);
    for _ in 0..WARM_UPS + ROUNDS_EACH {
        for stream in &mut streams {
            stream.write_all(head).expect("the server reads");
        }
        // The server's threads have taken the heads and sleep.
        std::thread::sleep(Duration::from_millis(2));
        for stream in &mut streams {
            stream.write_all(last).expect("the server reads");
        }
        for stream in &mut streams {
            stream.read_exact(&mut [0; ANSWER.len()]).expect("the server answers");
        }
    }
}

struct Server {
    child: Child,
    ask: ChildStdin,
    told: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a running program has a path");
        let mut command = Command::new(program);
        let command = command.arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it can be started again");
        let ask = child.stdin.take().expect("it was piped");
        let mut told = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut line = String::new();
        told.read_line(&mut line).expect("the server says where it is");
        Self { child, ask, told, address: line.trim().parse().expect("it is an address") }
    }

    /// The spreads of the rounds since this was asked last.
    fn spreads_us(&mut self) -> Vec<u64> {
        writeln!(self.ask, "spreads").expect("the server listens");
        let mut line = String::new();
        self.told.read_line(&mut line).expect("the server tells");
        let spreads: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert_eq!(spreads.len(), ROUNDS_EACH as usize, "the server saw another number of rounds");
        spreads
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// When requests came, one list a connection.
type Arrivals = Arc<Mutex<Vec<Vec<Instant>>>>;

fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    println!("{}", listener.local_addr().expect("it is bound"));
    let arrivals = Arrivals::default();
    let noted = arrivals.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let noted = noted.clone();
            std::thread::spawn(move || {
                let times = note(stream);
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(times);
            });
        }
    });
    for _ in std::io::stdin().lines() {
        println!("{}", tell(&arrivals));
    }
}

/// Answers every request, and notes when its last byte came, until the other side hangs up.
fn note(mut stream: TcpStream) -> Vec<Instant> {
    let mut times = Vec::with_capacity((WARM_UPS + ROUNDS_EACH) as usize);
    let (mut request, mut part) = (Vec::with_capacity(REQUEST_BYTES_MAX), [0; REQUEST_BYTES_MAX]);
    let _ = stream.set_nodelay(true);
    loop {
        let count = match stream.read(&mut part) {
            Ok(0) => return times,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return times,
        };
        let now = Instant::now();
        request.extend_from_slice(&part[..count]);
        if request.starts_with(PREFACE) {
            return note_frames(stream, request, now);
        }
        if request.ends_with(b"\r\n\r\n") {
            times.push(now);
            request.clear();
            if stream.write_all(ANSWER).is_err() {
                return times;
            }
        }
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEAD_BYTES: usize = 9;
const SETTINGS: u8 = 4;
const SETTINGS_HERE: &[u8] = &[0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
const SETTINGS_TAKEN: &[u8] = &[0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];

/// The same in HTTP/2, from its preface on: the last frame of each request counts.
fn note_frames(mut stream: TcpStream, mut come: Vec<u8>, mut now: Instant) -> Vec<Instant> {
    let mut times = vec![];
    let mut part = [0; REQUEST_BYTES_MAX];
    come.drain(..PREFACE.len());
    let mut answers = SETTINGS_HERE.to_vec();
    loop {
        while let Some(frame) = take_frame(&mut come) {
            let (kind, flags) = (frame[3], frame[4]);
            if kind == SETTINGS && flags == 0 {
                answers.extend_from_slice(SETTINGS_TAKEN);
            } else if kind < 2 && flags & 1 == 1 {
                times.push(now);
                // Its head says 200, and that this is all.
                answers.extend_from_slice(&[0, 0, 1, 1, 5, frame[5], frame[6], frame[7], frame[8], 0x88]);
            }
        }
        if stream.write_all(&answers).is_err() {
            return times;
        }
        answers.clear();
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return times,
            Ok(count) => {
                now = Instant::now();
                come.extend_from_slice(&part[..count]);
            }
        }
    }
}

/// The next frame of HTTP/2, if it is here whole.
fn take_frame(come: &mut Vec<u8>) -> Option<Vec<u8>> {
    let length = FRAME_HEAD_BYTES + u32::from_be_bytes([0, *come.first()?, *come.get(1)?, *come.get(2)?]) as usize;
    (come.len() >= length).then(|| come.drain(..length).collect())
}

/// Waits until every connection of the last turn is closed, and tells the spreads of its rounds.
fn tell(arrivals: &Arrivals) -> String {
    let rounds = (WARM_UPS + ROUNDS_EACH) as usize;
    let connections = usize::from(CONNECTIONS);
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let mut all = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |count: usize| all.iter().filter(|times| times.len() == count).cloned().collect::<Vec<_>>();
        let (each, together) = (of(rounds), of(connections));
        if each.len() == connections || together.len() == rounds || Instant::now() > until {
            all.clear();
            return if together.len() == rounds { spreads_of(together) } else { spreads(&each) };
        }
        drop(all);
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn spreads(connections: &[Vec<Instant>]) -> String {
    let of_round = |round: usize| {
        let times = || connections.iter().map(move |times| times[round]);
        let (first, last) = (times().min()?, times().max()?);
        Some((last - first).as_micros().to_string())
    };
    let measured = WARM_UPS as usize..(WARM_UPS + ROUNDS_EACH) as usize;
    measured.filter_map(of_round).collect::<Vec<_>>().join(" ")
}

/// The same where each round has a connection of its own.
fn spreads_of(mut rounds: Vec<Vec<Instant>>) -> String {
    rounds.sort_unstable();
    let spread = |times: &Vec<Instant>| Some((*times.iter().max()? - *times.iter().min()?).as_micros().to_string());
    rounds[WARM_UPS as usize..].iter().filter_map(spread).collect::<Vec<_>>().join(" ")
}
