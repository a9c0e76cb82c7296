//! A server's keeper: a shell that starts it, and stops it and removes its folder when the other end of a pipe is closed. Only this
//! process holds that end, so that it is closed after a panic, a signal and a kill as well. (The signal that Linux sends at a parent's
//! death comes at the death of the thread already, which in tests is not that of the process.)

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::account::Account;
use crate::error::ServerError;

/// Runs what it is given. What that writes goes into the file that the shell writes into as well; the end of the pipe is for the shell alone.
const SCRIPT: &str = r#"
folder=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
{ read -r _ <&3; kill -INT $server; kill -TERM $server; sleep 5; kill -KILL $server; } &
watch=$!
wait $server
status=$?
kill $watch
rm -rf "$folder"
exit $status
"#;

const ROOT: u32 = 0;
const READY_MAX: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

const LOG: &str = "log";
const LOG_LINES_MAX: usize = 6;
const LOG_BYTES_MAX: u64 = 64 * 1024;

/// A folder for a server.
pub(crate) struct Room {
    folder: TempDir,
    account: Option<Account>,
}

/// A server that is kept until this is dropped.
pub(crate) struct Kept {
    keeper: Child,
}

impl Room {
    /// A folder that belongs to the account that the server will run under.
    pub(crate) fn new() -> Result<Self, ServerError> {
        let private = fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("coalmine-servers-").permissions(private).tempdir_in(place())?;
        let is_root = folder.path().metadata()?.uid() == ROOT;
        let account = if is_root { Account::unprivileged() } else { None };
        let room = Self { folder, account };
        room.hand_over(room.path())?;
        Ok(room)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file that only the server can read.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<(), ServerError> {
        let path = self.path().join(name);
        fs::write(&path, "")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        fs::write(&path, text)?;
        Ok(self.hand_over(&path)?)
    }

    fn hand_over(&self, path: &Path) -> io::Result<()> {
        match self.account {
            Some(Account { user, group }) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Lets a shell run `script` with `arguments` as the server called `program`, and waits until it is ready.
    pub(crate) fn keep(
        self,
        program: &'static str,
        script: &str,
        arguments: &[&str],
        is_ready: impl Fn(&Path) -> bool,
    ) -> Result<Kept, ServerError> {
        let log = File::create(self.path().join(LOG))?;
        // It can be read after the keeper has removed it.
        let words = File::open(self.path().join(LOG))?;
        let mut kept = Kept { keeper: self.shell(script, arguments, log)? };
        // From here on the keeper removes the folder.
        let folder = self.folder.keep();
        let deadline = Instant::now() + READY_MAX;
        while !is_ready(&folder) {
            if Instant::now() > deadline || kept.has_ended() {
                return Err(ServerError::Failed { program, said: last_lines(words)? });
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(kept)
    }

    fn shell(&self, script: &str, arguments: &[&str], log: File) -> io::Result<Child> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "keeper"]).arg(self.path()).args(["/bin/sh", "-c", script, "server"]).args(arguments);
        // In a group of its own, for Ctrl-C is sent to all of the terminal's.
        shell.current_dir(self.path()).process_group(0);
        shell.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        if let Some(Account { user, group }) = self.account {
            shell.uid(user).gid(group);
        }
        shell.spawn()
    }
}

impl Kept {
    fn has_ended(&mut self) -> bool {
        !matches!(self.keeper.try_wait(), Ok(None))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // The keeper ends within seconds: it kills what does not stop.
        let _ = self.keeper.wait();
    }
}

/// The first folder for temporary data that every account can enter.
fn place() -> PathBuf {
    let usual = std::env::temp_dir();
    let open = [usual.as_path(), Path::new("/tmp"), Path::new("/var/tmp")].into_iter().find(|folder| is_open(folder));
    open.map_or_else(|| usual.clone(), Path::to_owned)
}

fn is_open(folder: &Path) -> bool {
    const OTHERS_MAY_ENTER: u32 = 0o001;
    let Ok(folder) = folder.canonicalize() else { return false };
    folder.ancestors().all(|step| step.metadata().is_ok_and(|found| found.mode() & OTHERS_MAY_ENTER != 0))
}

fn last_lines(log: File) -> io::Result<String> {
    let log = io::read_to_string(log.take(LOG_BYTES_MAX))?;
    let lines: Vec<_> = log.lines().map(str::trim).collect();
    Ok(lines[lines.len().saturating_sub(LOG_LINES_MAX)..].join(" / "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exists(path: &Path) -> bool {
        path.metadata().is_ok()
    }

    #[test]
    fn server_is_stopped_and_its_folder_removed_when_it_is_dropped() {
        let room = Room::new().unwrap();
        let folder = room.path().to_owned();
        let kept = room.keep("sleep", "touch ready; exec sleep 600", &[], |folder| exists(&folder.join("ready")));
        assert!(exists(&folder));
        drop(kept.unwrap());
        assert!(!exists(&folder));
    }

    #[test]
    fn server_that_ends_by_itself_has_failed_with_its_words() {
        let room = Room::new().unwrap();
        let failed = room.keep("false", "echo it is too late; exit 3", &[], |_| false);
        let message = failed.err().unwrap().to_string();
        assert_eq!(message, "false did not start; it said: it is too late");
    }

    #[test]
    fn folder_that_others_cannot_enter_is_not_open() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!is_open(folder.path()));
    }
}
