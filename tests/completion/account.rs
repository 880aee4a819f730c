//! An account on a port, for as long as a test wants it.

use std::thread::JoinHandle;

use convox::clock::{Clock, system_now};
use convox::sandbox::{Sandbox, Scenario, bind, serve};
use tokio::sync::oneshot;

/// The account.
pub struct Served {
    address: String,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Served {
    /// Starts an account with the rack `prod`.
    pub fn start() -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (told, address) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let clock = Clock::starting_at(system_now(), 1.0);
                let sandbox = Sandbox::new(&Scenario::default(), clock).unwrap();
                let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
                told.send(listener.local_addr().unwrap()).unwrap();
                let stopped = async {
                    let _ = stopped.await;
                };
                serve(listener, sandbox, stopped).await.unwrap();
            });
        });
        let address = format!("http://{}", address.recv().unwrap());
        Self {
            address,
            stop,
            thread,
        }
    }

    /// Returns its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Stops it; nobody answers at its address any more.
    pub fn stop(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap();
    }
}
