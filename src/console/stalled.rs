//! Lets go of a client that takes nothing of what it is sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Clock;

/// A connection whose writes fail when they stand still for too long.
pub(super) struct Stalled<I> {
    io: I,
    clock: Clock,
    time: Duration,
    /// Runs while a write stands still.
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<I> Stalled<I> {
    /// Lets writes on `io` stand still for `time`.
    pub(super) fn new(io: I, clock: Clock, time: Duration) -> Self {
        Self {
            io,
            clock,
            time,
            waiting: None,
        }
    }

    /// Passes on how a write went, unless it has stood still for too long.
    fn watch<T>(
        &mut self,
        went: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if went.is_ready() {
            self.waiting = None;
            return went;
        }
        let (clock, time) = (&self.clock, self.time);
        let waiting = self.waiting.get_or_insert_with(|| {
            let clock = clock.clone();
            Box::pin(async move { clock.sleep(time).await })
        });
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Stalled<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Stalled<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let went = Pin::new(&mut self.io).poll_write(context, bytes);
        self.watch(went, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let went = Pin::new(&mut self.io).poll_write_vectored(context, parts);
        self.watch(went, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let went = Pin::new(&mut self.io).poll_flush(context);
        self.watch(went, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let went = Pin::new(&mut self.io).poll_shutdown(context);
        self.watch(went, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_let_go() {
        let (ours, theirs) = tokio::io::duplex(8);
        let mut ours = Stalled::new(ours, Clock::system(), Duration::from_secs(30));
        let failed = ours.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_its_time_is_not() {
        let clock = Clock::system();
        let (ours, mut theirs) = tokio::io::duplex(8);
        let mut ours = Stalled::new(ours, clock.clone(), Duration::from_secs(30));
        let reading = async {
            let mut taken = [0; 100];
            for byte in &mut taken {
                clock.sleep(Duration::from_secs(20)).await;
                *byte = theirs.read_u8().await.unwrap();
            }
        };
        let (sent, ()) = tokio::join!(ours.write_all(&[0; 100]), reading);
        sent.unwrap();
    }
}
