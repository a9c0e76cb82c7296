//! The database: one session that writes, some that only read, and a thread for each that owns it.

mod file;
mod room;

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::config::Storage;
use crate::error::StartError;
use crate::leads::Policies;
use crate::refusal::Refusal;
use crate::remote::{Names, Remote};
use crate::sql::{self, Connection};
use crate::{accounts, agents, finance, leads, operations};
use file::File;
use room::Room;

/// Requests beyond this many wait for their turn before they join the queue.
const QUEUE_MAX: usize = 1024;

/// Sessions that only read.
const SESSIONS: usize = 4;

/// The tables of the wings.
const SCHEMAS: [&str; 5] = [accounts::SCHEMA, agents::SCHEMA, operations::SCHEMA, leads::SCHEMA, finance::SCHEMA];

type Job = Box<dyn FnOnce(&Connection) + Send>;

/// A handle on a session of the database. The thread ends with the last handle.
#[derive(Clone)]
pub(crate) struct Store {
    jobs: mpsc::Sender<Job>,
}

/// Resolves when the database is closed and its temporary data removed.
pub(crate) type Closed = oneshot::Receiver<()>;

/// The database, opened.
pub(crate) struct Opened {
    pub(crate) store: Store,
    /// What only reads.
    pub(crate) sessions: Vec<Store>,
    pub(crate) remote: Option<Arc<Remote>>,
    pub(crate) closed: Closed,
}

/// Where the tables are. Temporary data is removed with it.
enum Place {
    Sqlite(File),
    Services(Box<Room>, Names),
}

impl Place {
    /// Makes room for the tables.
    fn prepare(storage: &Storage, policies: &Policies) -> Result<Self, StartError> {
        match storage {
            Storage::TemporaryFile => File::temporary(policies.views()).map(Self::Sqlite),
            Storage::Memory => Ok(Self::Sqlite(File::memory(policies.views()))),
            Storage::File(path) => Ok(Self::Sqlite(File::at(path.clone(), policies.views()))),
            Storage::Services { database_url, redis_url } => {
                let room = Room::furnish(database_url, &policies.statements())?;
                let names = Names::new(redis_url, room.name().to_owned())?;
                Ok(Self::Services(Box::new(room), names))
            }
        }
    }

    fn connect(&self) -> Result<Connection, StartError> {
        Ok(match self {
            Self::Sqlite(file) => Connection::Sqlite(file.connect()?),
            Self::Services(room, _) => Connection::Postgres(Box::new(room.connect()?)),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Services(_, names) = self {
            // What cannot be removed now has lost its server.
            let _ = names.forget_all();
        }
    }
}

impl Store {
    pub(crate) async fn open(storage: &Storage, policies: Policies) -> Result<Opened, StartError> {
        let storage = storage.clone();
        let (store, place, closed) = Self::serve(move || {
            let place = Arc::new(Place::prepare(&storage, &policies)?);
            Ok((place.connect()?, Arc::clone(&place), Some(place)))
        })
        .await?;
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS {
            let place = Arc::clone(&place);
            let (session, (), _) = Self::serve(move || Ok((place.connect()?, (), None))).await?;
            sessions.push(session);
        }
        let remote = match &*place {
            Place::Sqlite(_) => None,
            Place::Services(_, names) => Some(Arc::new(Remote::connect(names.clone()).await?)),
        };
        Ok(Opened { store, sessions, remote, closed })
    }

    /// Starts a thread for the session that `open` answers, with what else it answers. The place, if there is one, goes with the session.
    async fn serve<T: Send + 'static>(
        open: impl FnOnce() -> Result<(Connection, T, Option<Arc<Place>>), StartError> + Send + 'static,
    ) -> Result<(Self, T, Closed), StartError> {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (opened, opening) = oneshot::channel();
        let (done, closed) = oneshot::channel();
        thread::Builder::new().name("coalmine-target-store".to_owned()).spawn(move || {
            match open() {
                Ok((connection, answer, place)) => {
                    // Whoever waits may have stopped waiting, here and at the end.
                    let _ = opened.send(Ok(answer));
                    work(connection, queue);
                    drop(place);
                }
                Err(error) => drop(opened.send(Err(error))),
            }
            let _ = done.send(());
        })?;
        let answer = opening.await.map_err(|_| io::Error::other("the thread of the database has panicked"))??;
        Ok((Self { jobs }, answer, closed))
    }

    /// Does `work` on the database. Work that was accepted is done even if nobody waits for it any more.
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> sql::Result<T> + Send + 'static,
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

fn work(connection: Connection, mut queue: mpsc::Receiver<Job>) {
    while let Some(job) = queue.blocking_recv() {
        job(&connection);
    }
}
