//! What every command is given: where to write, the global flags, where things are kept.

use std::future::Future;
use std::path::PathBuf;

use etcetera::{BaseStrategy as _, base_strategy::Xdg};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::app::GlobalArgs;
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::ui::{CliError, Printer};

/// Where to write, what was asked for globally, and where state is kept.
#[derive(Debug)]
pub(crate) struct Context {
    printer: Printer,
    global: GlobalArgs,
    rehearsal: Option<Rehearsal>,
}

/// A run that repeats: virtual time from an instant, and chance from a seed.
///
/// `CONVOX_TEST_EPOCH` (RFC 3339) and `CONVOX_TEST_SEED` ask for it. They are for tests,
/// and only work in the sandbox.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rehearsal {
    /// When the run begins.
    pub(crate) epoch: Timestamp,
    /// What chance is made of.
    pub(crate) seed: u64,
}

impl Context {
    pub(crate) fn new(printer: Printer, global: GlobalArgs) -> Self {
        let variable = |name| std::env::var(name).ok();
        let rehearsal = variable("CONVOX_TEST_EPOCH")
            .and_then(|epoch| epoch.parse().ok())
            .map(|epoch| Rehearsal {
                epoch,
                seed: variable("CONVOX_TEST_SEED")
                    .and_then(|s| s.parse().ok())
                    .unwrap_or(1),
            });
        let rehearsal = rehearsal.filter(|_| global.sandbox);
        Self {
            printer,
            global,
            rehearsal,
        }
    }

    pub(crate) fn printer(&self) -> &Printer {
        &self.printer
    }

    pub(crate) fn global(&self) -> &GlobalArgs {
        &self.global
    }

    pub(crate) fn rehearsal(&self) -> Option<Rehearsal> {
        self.rehearsal
    }

    /// Returns the time zone that times of day are shown in: `TZ`, or the machine's.
    pub(crate) fn zone(&self) -> TimeZone {
        TimeZone::system()
    }

    /// Returns a source of chance: the operating system's, or the seed's in a test.
    pub(crate) fn entropy(&self) -> Result<Entropy, CliError> {
        match self.rehearsal {
            Some(rehearsal) => Ok(Entropy::seeded(rehearsal.seed)),
            None => Entropy::system().map_err(|error| {
                CliError::failed(format!("the operating system gives no randomness: {error}"))
            }),
        }
    }

    /// Runs async work to its end, on a runtime that is made only now: `--help` needs none.
    pub(crate) fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(self.rehearsal.is_some())
            .build()
            .map_err(|error| CliError::failed(format!("cannot start: {error}")))?;
        let result = runtime.block_on(work);
        runtime.shutdown_background();
        result
    }

    /// Returns the clock of the machine.
    pub(crate) fn system_clock(&self) -> Clock {
        Clock::system()
    }

    /// Returns the directory of journals. Those of the sandbox are apart from the real ones.
    pub(crate) fn journals_dir(&self) -> Result<PathBuf, CliError> {
        let dir = if self.global.sandbox {
            self.sandbox_dir()?
        } else {
            self.state_dir()?
        };
        Ok(dir.join("rolls"))
    }

    /// Returns the directory that holds the sandbox's account.
    pub(crate) fn sandbox_dir(&self) -> Result<PathBuf, CliError> {
        Ok(self.state_dir()?.join("sandbox"))
    }

    /// Returns the configuration file's path.
    pub(crate) fn config_file(&self) -> Result<PathBuf, CliError> {
        Ok(xdg()?.config_dir().join("convox").join("config.yaml"))
    }

    fn state_dir(&self) -> Result<PathBuf, CliError> {
        let xdg = xdg()?;
        Ok(xdg
            .state_dir()
            .unwrap_or_else(|| xdg.data_dir())
            .join("convox"))
    }
}

fn xdg() -> Result<Xdg, CliError> {
    Xdg::new().map_err(|_| {
        CliError::failed("cannot tell where your home directory is")
            .hint("set HOME, or XDG_STATE_HOME and XDG_CONFIG_HOME")
    })
}
