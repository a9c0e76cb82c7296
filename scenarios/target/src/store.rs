//! The database: SQLite, with one connection that writes, some that only read, and a thread for each that owns it.

use std::io;
use std::path::Path;
use std::thread;

use rusqlite::Connection;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

use crate::config::Storage;
use crate::error::StartError;
use crate::refusal::Refusal;
use crate::{accounts, agents, finance, id, leads, operations};

/// Requests beyond this many wait for their turn before they join the queue.
const QUEUE_MAX: usize = 1024;

/// Connections that only read.
const SESSIONS: usize = 4;

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// A handle on a connection of the database. The thread ends with the last handle.
#[derive(Clone)]
pub(crate) struct Store {
    jobs: mpsc::Sender<Job>,
}

/// Resolves when the database is closed and its temporary folder removed.
pub(crate) type Closed = oneshot::Receiver<()>;

/// The database, opened.
pub(crate) struct Opened {
    pub(crate) store: Store,
    /// What only reads.
    pub(crate) sessions: Vec<Store>,
    pub(crate) closed: Closed,
}

impl Store {
    pub(crate) fn open(storage: &Storage) -> Result<Opened, StartError> {
        let folder = match storage {
            Storage::TemporaryFile => Some(tempfile::Builder::new().prefix("coalmine-target-").tempdir()?),
            Storage::Memory | Storage::File(_) => None,
        };
        let place = match (storage, &folder) {
            (Storage::File(path), _) => path.clone(),
            (_, Some(folder)) => folder.path().join("target.sqlite"),
            (_, None) => format!("file:{}?mode=memory&cache=shared", id::fresh("target")).into(),
        };
        let connection = connect(&place)?;
        for schema in [accounts::SCHEMA, agents::SCHEMA, operations::SCHEMA, leads::SCHEMA, finance::SCHEMA] {
            connection.execute_batch(schema)?;
        }
        let sessions = (0..SESSIONS).map(|_| Self::session(&place)).collect::<Result<_, _>>()?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let closed = serve(connection, folder, queue)?;
        Ok(Opened { store: Self { jobs }, sessions, closed })
    }

    fn session(place: &Path) -> Result<Self, StartError> {
        let connection = connect(place)?;
        connection.execute_batch(leads::SESSION)?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        serve(connection, None, queue)?;
        Ok(Self { jobs })
    }

    /// Does `work` on the database. Work that was accepted is done even if nobody waits for it any more.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Whoever asked may have hung up.
            let _ = answer.send(work(connection));
        });
        self.jobs.send(job).await.map_err(|_| Refusal::Fault)?;
        Ok(answered.await.map_err(|_| Refusal::Fault)??)
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // In memory, connections share their pages, and who reads would make who writes fail. Elsewhere this has no effect.
    connection.pragma_update(None, "read_uncommitted", true)?;
    Ok(connection)
}

fn serve(connection: Connection, folder: Option<TempDir>, mut queue: mpsc::Receiver<Job>) -> io::Result<Closed> {
    let (done, closed) = oneshot::channel();
    thread::Builder::new().name("coalmine-target-store".to_owned()).spawn(move || {
        connection.set_prepared_statement_cache_capacity(64);
        while let Some(job) = queue.blocking_recv() {
            job(&connection);
        }
        drop(connection);
        drop(folder);
        // Whoever waits for the end may have stopped waiting.
        let _ = done.send(());
    })?;
    Ok(closed)
}
