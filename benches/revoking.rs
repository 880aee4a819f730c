//! How long a leaked key goes on opening anything: in real time, with calls that take time.
//!
//! `cargo bench --profile dev --bench revoking` prints the table of the README: racks in the
//! sandbox, whose every AWS call takes 300 ms, reached through SSM Run Command.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::roll::{
    Engine, Event, EventKind, EventSink, Journals, KeyTools, RevocationOptions, SsmAccess, Stop,
};
use convox::sandbox::scenario::{Fault, Latency, Span};
use convox::sandbox::{Sandbox, Scenario};
use convox::ssh::SigningKey;

const SIZES: [u32; 3] = [3, 30, 100];
const CALL: Duration = Duration::from_millis(300);

/// Notes when each instance was done.
#[derive(Clone, Default)]
struct Shut(Arc<Mutex<Vec<Instant>>>);

#[expect(clippy::disallowed_methods, reason = "a bench reads the wall clock")]
impl EventSink for Shut {
    fn event(&mut self, event: &Event) {
        if matches!(&event.kind, EventKind::Instance(report) if report.error.is_none()) {
            let mut done = self.0.lock().unwrap_or_else(|e| e.into_inner());
            done.push(Instant::now());
        }
    }
}

#[derive(Debug)]
struct Figures {
    planned: Duration,
    first: Duration,
    last: Duration,
    ended: Duration,
    calls: u64,
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the wall clock")]
async fn revoke(instances: u32) -> anyhow::Result<Figures> {
    let mut scenario = Scenario::default();
    scenario.rack.instances = instances;
    scenario.faults = vec![Fault::Latency(Latency {
        api: "*".to_owned(),
        takes: Span(CALL),
    })];
    let clock = Clock::system();
    let sandbox = Sandbox::new(&scenario, clock.clone())?;
    let transport = Transport::InProcess(sandbox.in_process());
    let account = Account::connect(&Access::new(transport, clock.clone())).await?;
    let rack = account.rack(&Target::rack("prod"), &Entropy::seeded(1))?;
    let commands = Arc::clone(&rack.commands);
    let home = tempfile::tempdir()?;
    let shut = Shut::default();
    let mut engine = Engine::new(
        rack,
        clock.clone(),
        Entropy::seeded(1),
        Journals::new(home.path().to_owned()),
        Box::new(shut.clone()),
        Stop::new(),
    );
    engine.set_key_tools(KeyTools {
        ways: vec![Arc::new(SsmAccess::new(commands, clock))],
        public_line: |name, key| match SigningKey::read(name, key) {
            Ok(key) => Ok(key.public_line()),
            Err(error) => Err(error.to_string()),
        },
    });
    let began = Instant::now();
    let options = RevocationOptions {
        key: None,
        key_type: None,
    };
    let plan = engine.plan_revocation(options).await?;
    let planned = began.elapsed();
    let report = engine.run(plan, false).await;
    let ended = began.elapsed();
    anyhow::ensure!(report.exit_code == 0, "{}", report.message);
    let done = shut.0.lock().unwrap_or_else(|e| e.into_inner()).clone();
    anyhow::ensure!(done.len() == usize::try_from(instances)?, "{}", done.len());
    let since = |at: Option<&Instant>| at.map(|at| at.duration_since(began)).unwrap_or_default();
    Ok(Figures {
        planned,
        first: since(done.iter().min()),
        last: since(done.iter().max()),
        ended,
        calls: sandbox.calls().values().sum(),
    })
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
fn main() -> anyhow::Result<()> {
    println!(
        "{:>9} {:>9} {:>9} {:>9} {:>9} {:>6}",
        "instances", "planned s", "first s", "last s", "ended s", "calls"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    for instances in SIZES {
        let it = runtime.block_on(revoke(instances))?;
        println!(
            "{instances:>9} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>6}",
            it.planned.as_secs_f64(),
            it.first.as_secs_f64(),
            it.last.as_secs_f64(),
            it.ended.as_secs_f64(),
            it.calls
        );
    }
    Ok(())
}
