//! Ctrl-C and SIGTERM: the first asks the roll to let go, the second leaves at once.

use std::future::Future;
use std::io;

use crate::roll::Stop;
use crate::ui::Printer;

/// Runs `work`; a first signal makes `stop`'s request, a second drops `work` and returns none.
pub(crate) async fn heed<T>(
    printer: &Printer,
    stop: &Stop,
    work: impl Future<Output = T>,
) -> io::Result<Option<T>> {
    let mut signals = Signals::listen()?;
    tokio::pin!(work);
    let is_interrupt = tokio::select! {
        done = &mut work => return Ok(Some(done)),
        is_interrupt = signals.next() => is_interrupt,
    };
    tidy(printer, is_interrupt);
    stop.request();
    // Whether the stack has been touched yet, the report will say.
    printer.say("Letting go: what has begun in AWS goes on there (once more to leave at once)");
    tokio::select! {
        done = &mut work => Ok(Some(done)),
        is_interrupt = signals.next() => {
            tidy(printer, is_interrupt);
            Ok(None)
        }
    }
}

/// Makes up for what a terminal writes when somebody types Ctrl-C.
fn tidy(printer: &Printer, is_interrupt: bool) {
    if is_interrupt {
        printer.erase_echo();
    }
}

/// Listens from now on, and returns what completes at the first signal.
pub(crate) fn told() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut signals = Signals::listen()?;
    Ok(async move {
        signals.next().await;
    })
}

/// Listens from now on, and returns what completes when somebody else wants an end.
///
/// Ctrl-C and Ctrl-\\ are for the child that shares the terminal, and leave us alone.
#[cfg(unix)]
pub(crate) fn told_by_others() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let of_terminal = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::quit())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        drop(of_terminal);
    })
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for a signal, and tells whether it was the one that Ctrl-C sends.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interrupt.recv() => true,
            _ = self.terminate.recv() => false,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> bool {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        true
    }
}
