//! Runs the real program, and services of the tests' own, on loopback.
#![expect(clippy::unwrap_used, reason = "what a test cannot do without fails the test")]
#![expect(dead_code, reason = "each test file uses its part of it")]

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use axum::Router;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A service on a free loopback port, stopped when it is dropped.
pub(crate) struct Service {
    _runtime: Runtime,
    port: u16,
}

impl Service {
    pub(crate) fn start(router: Router) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { _runtime: runtime, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The program, in a folder of its own.
pub(crate) struct Coalmine {
    folder: TempDir,
}

/// What it printed, and how it ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Coalmine {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn scenario(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join("scenario.yaml"), text).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The history of the newest run.
    pub(crate) fn history(&self) -> PathBuf {
        self.path().join("coalmine-out/latest/history.jsonl.zst")
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_coalmine"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(&self.command(arguments).output().unwrap())
    }

    /// Gates the scenario at `url` with a fixed seed and a report in JSON.
    pub(crate) fn gate(&self, url: &str) -> Run {
        self.gate_with(url, &[])
    }

    pub(crate) fn gate_with(&self, url: &str, more: &[&str]) -> Run {
        let mut arguments = vec!["gate", "scenario.yaml", "--target", url, "--seed", "1", "--format", "json"];
        if !more.contains(&"--rounds") {
            arguments.extend(["--rounds", "1"]);
        }
        arguments.extend(more);
        self.run(&arguments)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

impl Run {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The oracles that found something, each once.
    pub(crate) fn kinds(&self) -> Vec<String> {
        let report = self.json();
        let findings = report["verdict"]["findings"].as_array().unwrap();
        let mut kinds: Vec<_> = findings.iter().map(|finding| finding["oracle"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}
