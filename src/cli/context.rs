//! What every command is given: where to write, the global flags, where things are kept.

use std::future::Future;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::app::GlobalArgs;
use crate::clock::{Clock, system_now};
use crate::config::Environment;
use crate::ids::Entropy;
use crate::rack::remote::Endpoint;
use crate::ui::{CliError, Printer};

/// Where to write, what was asked for globally, and where state is kept.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    printer: Printer,
    global: GlobalArgs,
    environment: Environment,
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
    /// Reads the environment of the process.
    pub(crate) fn new(printer: Printer, global: GlobalArgs) -> Self {
        Self::with_environment(printer, global, Environment::of_process())
    }

    pub(crate) fn with_environment(
        printer: Printer,
        global: GlobalArgs,
        environment: Environment,
    ) -> Self {
        let epoch = environment
            .get("CONVOX_TEST_EPOCH")
            .and_then(|epoch| epoch.parse().ok());
        let seed = environment
            .get("CONVOX_TEST_SEED")
            .and_then(|seed| seed.parse().ok());
        let rehearsal = epoch.filter(|_| global.sandbox).map(|epoch| Rehearsal {
            epoch,
            seed: seed.unwrap_or(1),
        });
        Self {
            printer,
            global,
            environment,
            rehearsal,
        }
    }

    pub(crate) fn printer(&self) -> &Printer {
        &self.printer
    }

    pub(crate) fn global(&self) -> &GlobalArgs {
        &self.global
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    pub(crate) fn rehearsal(&self) -> Option<Rehearsal> {
        self.rehearsal
    }

    /// Returns the clock by which an API is asked: the machine's. `CONVOX_TEST_SPEED` makes it
    /// that many times faster for a test's own server, which is on this machine.
    pub(crate) fn clock_for(&self, endpoint: &Endpoint) -> Clock {
        let speed = self.environment.get("CONVOX_TEST_SPEED");
        let speed = speed.filter(|_| endpoint.is_loopback());
        match speed.and_then(|speed| speed.parse().ok()) {
            Some(speed) => Clock::starting_at(system_now(), speed),
            None => Clock::system(),
        }
    }

    /// Returns the clock of a server: the machine's. `CONVOX_TEST_SPEED` makes it that many times
    /// faster from `CONVOX_TEST_EPOCH` on, for a test whose AWS account is on this machine.
    pub(crate) fn clock_of_server(&self) -> Clock {
        let endpoint = self.global.endpoint_url.as_deref().unwrap_or_default();
        let test = |name| {
            let value = self.environment.get(name);
            value.filter(|_| endpoint.starts_with("http://127.0.0.1:"))
        };
        let speed = test("CONVOX_TEST_SPEED").and_then(|speed| speed.parse().ok());
        let epoch = test("CONVOX_TEST_EPOCH").and_then(|epoch| epoch.parse().ok());
        match speed.zip(epoch) {
            Some((speed, epoch)) => Clock::since(epoch, speed),
            None => Clock::wall(),
        }
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

    /// As [`Self::block_on`], on a thread for each core: for servers.
    pub(crate) fn block_on_threads<T>(
        &self,
        work: impl Future<Output = Result<T, CliError>>,
    ) -> Result<T, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::failed(format!("cannot start: {error}")))?;
        let result = runtime.block_on(work);
        runtime.shutdown_background();
        result
    }

    /// Returns the directory of journals. Those of the sandbox are apart from the real ones.
    pub(crate) fn journals_dir(&self) -> Result<PathBuf, CliError> {
        let dir = if self.global.sandbox {
            self.sandbox_dir()?
        } else {
            self.environment.state_dir()?
        };
        Ok(dir.join("rolls"))
    }

    /// Returns the directory of new passwords of rolls that are under way, for their owner only.
    pub(crate) fn staged_dir(&self) -> Result<PathBuf, CliError> {
        Ok(self.environment.state_dir()?.join("staged"))
    }

    /// Returns the directory of host keys. Those of the sandbox are apart from the real ones.
    pub(crate) fn known_hosts_dir(&self) -> Result<PathBuf, CliError> {
        let dir = if self.global.sandbox {
            self.sandbox_dir()?
        } else {
            self.environment.state_dir()?
        };
        Ok(dir.join("known_hosts"))
    }

    /// Returns the directory that holds the sandbox's account.
    pub(crate) fn sandbox_dir(&self) -> Result<PathBuf, CliError> {
        Ok(self.environment.state_dir()?.join("sandbox"))
    }
}
