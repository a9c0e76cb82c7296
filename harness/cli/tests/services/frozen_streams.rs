//! Event streams that stand still with the request of their user: what is sent on them meanwhile is read when they thaw.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use coalmine_core::history::{Happening, Reader, Record};
use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::{OpId, Plan};

use crate::support::Coalmine;

const SCENARIO: &str = "
coalmine: 1
name: frozen streams
tenants: 8
canaries: {note: text}
flows:
  notes:
    repeat: 4
    steps:
      - {id: listen, sse: \"/stream/{{tenant.index}}\", keep: true}
      - {id: write, post: \"/notes/{{tenant.index}}\", text: \"{{canary.note}}\", sees: note}
      - {id: rewrite, post: \"/notes/{{tenant.index}}\", text: \"{{canary.note}}\", sees: note}
perturb: {swizzle: 60%, race: off, react: off, delay: off, cancel: off, share: off, reconnect: off, stall: off, retry: off, poison: off}
";

/// The streams of each user, and since when, in numbers of requests, its request has lacked its last byte.
#[derive(Default)]
struct Office {
    streams: HashMap<String, Vec<TcpStream>>,
    waiting: BTreeMap<String, usize>,
    come: usize,
}

impl Office {
    /// Somebody's request has come whole. Those whose request has lacked its last byte since before this one came are told an event.
    fn tell_those_before(&mut self, since: usize) -> io::Result<()> {
        for user in self.waiting.iter().filter(|(_, other)| **other < since).map(|(user, _)| user) {
            for stream in self.streams.get_mut(user).into_iter().flatten() {
                stream.write_all(b"data: {}\n\n")?;
            }
        }
        Ok(())
    }
}

fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let office = Arc::<Mutex<Office>>::default();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let office = Arc::clone(&office);
            // Guests come and go as they like.
            std::thread::spawn(move || converse(stream?, &office));
        }
    });
    url
}

fn converse(mut stream: TcpStream, office: &Mutex<Office>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some((path, length)) = head(&mut reader)? {
        let (place, user) = path.rsplit_once('/').unwrap();
        if place == "/stream" {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")?;
            office.lock().unwrap().streams.entry(user.to_owned()).or_default().push(stream);
            return Ok(());
        }
        let mut body = vec![0; length];
        let (last, most) = body.split_last_mut().unwrap();
        reader.read_exact(most)?;
        let since = {
            let mut office = office.lock().unwrap();
            office.come += 1;
            let since = office.come;
            office.waiting.insert(user.to_owned(), since);
            since
        };
        reader.read_exact(std::slice::from_mut(last))?;
        let mut office = office.lock().unwrap();
        office.waiting.remove(user);
        office.tell_those_before(since)?;
        drop(office);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")?;
        stream.write_all(&body)?;
    }
    Ok(())
}

/// Reads the head of a request: its path, and how long its body is.
fn head(reader: &mut impl BufRead) -> io::Result<Option<(String, usize)>> {
    let (mut path, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
        if let Some(("content-length", value)) = line.split_once(':') {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            return Ok(path.map(|path| (path, length)));
        }
    }
}

/// From when on an operation stood still with all that its user had open, at the earliest, and when it thawed.
struct Standstill {
    tenant: u32,
    begun_us: u64,
    thawed_us: u64,
}

#[derive(Default)]
struct Told {
    tenants: HashMap<OpId, u32>,
    invoked_us: HashMap<OpId, u64>,
    swizzled: HashMap<OpId, bool>,
    standstills: Vec<Standstill>,
    /// When a frame was read, and of whose stream.
    frames: Vec<(u32, u64)>,
}

impl Told {
    fn of(history: &std::path::Path) -> Self {
        let mut told = Self::default();
        for record in Reader::new(File::open(history).unwrap()).map(Result::unwrap) {
            match record {
                Record::Round(plan) => told.begin(&plan),
                Record::Event(event) => told.note(event.op, event.at_us, &event.what),
                _ => {}
            }
        }
        told
    }

    fn begin(&mut self, plan: &Plan) {
        let first = plan.principals[0].id.0;
        let tenant = |lane: u32| plan.principals[(lane - first) as usize].tenant.0;
        (self.invoked_us, self.swizzled) = (HashMap::new(), HashMap::new());
        let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
        self.tenants =
            lanes.flat_map(|lane| lane.ops.iter().map(move |op| (op.id, tenant(lane.principal.0)))).collect();
    }

    fn note(&mut self, op: OpId, at_us: u64, what: &Happening) {
        match what {
            Happening::Invoke { .. } => {
                self.invoked_us.insert(op, at_us);
            }
            Happening::Perturbed(shaken) if shaken.what == Perturbation::Swizzle => {
                self.swizzled.insert(op, shaken.reached);
            }
            Happening::Frame(_) => self.frames.push((self.tenants[&op], at_us)),
            Happening::Ok(answer) if self.swizzled.contains_key(&op) => {
                let begun_us = self.invoked_us[&op];
                let thawed_us = begun_us + u64::from(answer.sent_us.unwrap());
                self.standstills.push(Standstill { tenant: self.tenants[&op], begun_us, thawed_us });
            }
            _ => {}
        }
    }
}

#[test]
fn event_streams_stand_still_with_the_request_of_their_user() {
    let coalmine = Coalmine::new().scenario(SCENARIO);
    // On a machine that has other things to do, few stand still together in one round.
    let run = coalmine.gate_with(&serve(), &["--rounds", "4"]);
    assert_eq!(run.code, 0, "{run}");
    let told = Told::of(&coalmine.history());
    let early = |still: &Standstill, at_us: u64| still.begun_us < at_us && at_us < still.thawed_us;
    let all = || told.standstills.iter().flat_map(|still| told.frames.iter().map(move |frame| (still, frame)));
    let read_meanwhile = all().filter(|(still, (tenant, at_us))| *tenant == still.tenant && early(still, *at_us));
    assert_eq!(read_meanwhile.count(), 0, "events were read while their stream stood still: {run}");
    assert!(!told.frames.is_empty() && !told.standstills.is_empty(), "nothing was sent meanwhile: {run}");
}
