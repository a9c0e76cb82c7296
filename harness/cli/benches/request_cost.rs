//! What one scanned and recorded request costs in CPU, beside load generators that only count.
//!
//! `cargo bench --bench request_cost` starts a bare server in a process of its own, and sends requests for 1 KiB answers on 64
//! connections with Coalmine, oha and wrk, whichever are installed, in turns, three times. It prints the client's CPU time
//! (user and system) for each request and the ratio to oha. The machine's noise is in all of them alike: read the ratios.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

const CONNECTIONS: u32 = 64;
const REQUESTS_EACH: u32 = 1500;
const TURNS: usize = 3;
const ANSWER_BYTES: usize = 1024;

fn main() {
    if std::env::args().any(|argument| argument == "--serve") {
        return serve();
    }
    let server = Server::start();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let scenario = folder.path().join("scenario.yaml");
    std::fs::write(&scenario, scenario_text()).expect("the folder can be written");
    let mut table: Vec<(&str, Vec<f64>)> = Vec::new();
    for _ in 0..TURNS {
        for (name, mut command) in commands(&server.url, &scenario, folder.path()) {
            let Some(microseconds) = cpu_per_request(&mut command) else { continue };
            match table.iter_mut().find(|(known, _)| *known == name) {
                Some((_, row)) => row.push(microseconds),
                None => table.push((name, vec![microseconds])),
            }
        }
    }
    print(&table);
}

fn print(table: &[(&str, Vec<f64>)]) {
    let best = |row: &[f64]| row.iter().copied().fold(f64::INFINITY, f64::min);
    let oha = table.iter().find(|(name, _)| *name == "oha").map(|(_, row)| best(row));
    println!("CPU of the client per request, {CONNECTIONS} connections, {ANSWER_BYTES} byte answers, best of {TURNS}");
    for (name, row) in table {
        let ratio = oha.map_or(String::new(), |oha| format!("{:5.2} of oha", best(row) / oha));
        let all: Vec<_> = row.iter().map(|value| format!("{value:.1}")).collect();
        println!("{name:>10} {:6.1} us  {ratio}  ({})", best(row), all.join(", "));
    }
}

/// Each user's secret is sent and must come back, so that every answer is scanned, found and recorded.
fn scenario_text() -> String {
    format!(
        "coalmine: 1\nname: cost\ntarget: {{url: 'http://127.0.0.1:1'}}\ntenants: {CONNECTIONS}\ncanaries: {{secret: token}}\n\
         flows:\n  read:\n    repeat: {REQUESTS_EACH}\n    steps:\n      \
         - {{id: read, get: /, headers: {{x-secret: '{{{{canary.secret}}}}'}}, sees: secret}}\n"
    )
}

fn commands(url: &str, scenario: &std::path::Path, out: &std::path::Path) -> Vec<(&'static str, Command)> {
    let total = (CONNECTIONS * REQUESTS_EACH).to_string();
    let connections = CONNECTIONS.to_string();
    let mut coalmine = Command::new(env!("CARGO_BIN_EXE_coalmine"));
    coalmine.arg("gate").arg(scenario).args(["--target", url, "--out"]).arg(out.join("out"));
    let mut oha = Command::new("oha");
    oha.args(["-n", &total, "-c", &connections, "--no-tui", url]);
    let mut wrk = Command::new("wrk");
    wrk.args(["-t1", "-c", &connections, "-d5s", url]);
    vec![("coalmine", coalmine), ("oha", oha), ("wrk", wrk)]
}

/// Microseconds of CPU of a child per request; none where the program is not installed.
fn cpu_per_request(command: &mut Command) -> Option<f64> {
    let before = children_cpu_us();
    let output = command.stdin(Stdio::null()).output().ok()?;
    let used = children_cpu_us() - before;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // wrk runs for a time and says how many requests that were; the others were told how many.
    let counted = text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<f64>().ok());
    Some(used / counted.unwrap_or(f64::from(CONNECTIONS * REQUESTS_EACH)))
}

/// CPU time of all children that were waited for, by proc(5): fields 16 and 17 of stat, in ticks of 10 ms.
fn children_cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("this benchmark runs on Linux");
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(13).take(2).filter_map(|field| field.parse::<f64>().ok());
    ticks.sum::<f64>() * 10_000.0
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let program = std::env::current_exe().expect("a running program has a path");
        let mut child =
            Command::new(program).arg("--serve").stdout(Stdio::piped()).spawn().expect("it can be started again");
        let mut url = String::new();
        let stdout = child.stdout.take().expect("it was piped");
        BufReader::new(stdout).read_line(&mut url).expect("the server says where it is");
        Self { child, url: url.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    println!("http://{}", listener.local_addr().expect("it is bound"));
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer_all(stream));
    }
}

/// Answers every request with its `x-secret` and padding.
fn answer_all(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut secret = String::new();
        loop {
            let mut line = String::new();
            if reader.by_ref().take(64 << 10).read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.strip_prefix("x-secret: ") {
                value.trim().clone_into(&mut secret);
            }
        }
        let body = format!("{{\"secret\": \"{secret}\", \"padding\": \"{:.<ANSWER_BYTES$}", "");
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1024\r\n\r\n";
        stream.write_all(format!("{head}{}", &body[..ANSWER_BYTES]).as_bytes()).ok()?;
    }
}
