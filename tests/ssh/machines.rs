//! One SSH server for each instance of a sandbox, on a port of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use convox::private;
use convox::sandbox::Sandbox;
use convox::sandbox::ec2::{Instance, InstanceState};

/// Finds the server, or says that the test is skipped.
pub fn server() -> Option<PathBuf> {
    let named = std::env::var_os("CONVOX_TEST_SSHD").map(PathBuf::from);
    let usual = Some(PathBuf::from("/usr/sbin/sshd")).filter(|path| path.exists());
    let found = named.or(usual);
    if found.is_none() {
        let note = "skipped: there is no sshd, and CONVOX_TEST_SSHD is not set (see .ci/sshd)\n";
        let _ = std::io::stderr().write_all(note.as_bytes());
    }
    found
}

/// The user that tests log in as: a server that is not root's lets in no other.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A port that a server of its own answers, for as long as the instance is there.
struct Machine {
    port: u16,
    is_gone: Arc<AtomicBool>,
}

/// The servers, and the `ssh_config` that leads the addresses of instances to them.
pub struct Machines {
    dir: PathBuf,
    server: PathBuf,
    machines: BTreeMap<String, Machine>,
    others: String,
}

impl Machines {
    pub fn new(dir: &Path, server: PathBuf) -> Self {
        private::create_dir(dir).unwrap();
        Self {
            dir: dir.to_owned(),
            server,
            machines: BTreeMap::new(),
            others: String::new(),
        }
    }

    /// Returns the port on which an instance is reached.
    pub fn port(&self, instance: &str) -> u16 {
        self.machines[instance].port
    }

    /// Starts a machine to go through, of this name in the `ssh_config`, which lets in whoever
    /// has a key of its own. `settings` are more lines for its server. Returns the log of the
    /// server, and the fingerprint of the key.
    pub fn add_bastion(&mut self, name: &str, settings: &str) -> (PathBuf, String) {
        let own_key = self.dir.join(format!("{name}.own"));
        for file in [&own_key, &self.dir.join(format!("{name}.key"))] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(file)
                .status()
                .unwrap();
            assert!(made.success(), "ssh-keygen makes a key");
        }
        let public = fs::read_to_string(own_key.with_extension("own.pub")).unwrap();
        self.write(&format!("{name}.authorized"), &public);
        let settings = format!("LogLevel DEBUG2\n{settings}\n");
        let machine = self.listen(name, &settings);
        self.others += &format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  \
             IdentitiesOnly yes\n  StrictHostKeyChecking accept-new\n  UserKnownHostsFile {}\n\
             Host *\n  ForwardAgent yes\n",
            machine.port,
            own_key.display(),
            self.dir.join(format!("{name}.known")).display(),
        );
        self.machines.insert(name.to_owned(), machine);
        (self.dir.join(format!("{name}.log")), fingerprint(&public))
    }

    pub fn ssh_config(&self) -> PathBuf {
        self.dir.join("ssh_config")
    }

    /// Starts servers for instances that have come up, and takes away those of the others.
    pub fn follow(&mut self, sandbox: &Sandbox) {
        let running: Vec<Instance> = sandbox.peek(|world| {
            let live = world.live_instances();
            live.filter(|instance| instance.state == InstanceState::Running)
                .cloned()
                .collect()
        });
        self.machines.retain(|id, machine| {
            let is_instance = id.starts_with("i-");
            let stays = !is_instance || running.iter().any(|instance| instance.id == *id);
            machine.is_gone.store(!stays, Ordering::SeqCst);
            stays
        });
        let mut config = String::new();
        for instance in &running {
            if !self.machines.contains_key(&instance.id) {
                let machine = self.start(instance);
                self.machines.insert(instance.id.clone(), machine);
            }
            let port = self.machines[&instance.id].port;
            // The id as well, for those who ask for it by id.
            let names = format!("{} {}", instance.private_ip, instance.id);
            config += &format!("Host {names}\n  HostName 127.0.0.1\n  Port {port}\n");
        }
        fs::write(self.ssh_config(), config + &self.others).unwrap();
    }

    /// Returns the home of the user who logs in to a machine.
    pub fn home(&self, instance: &str) -> PathBuf {
        self.dir.join(format!("{instance}.home"))
    }

    /// Shows another host key from now on, as a machine in between would.
    pub fn impersonate(&self, instance: &str, host_key: &str) {
        self.write(&format!("{instance}.key"), host_key);
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        let mut file = private::open_options()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&path)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        path
    }

    /// Lets in whoever has the key pair that the instance was started with, as cloud-init does.
    fn start(&self, instance: &Instance) -> Machine {
        let id = &instance.id;
        let authorized = instance.authorized_key.clone().unwrap_or_default() + "\n";
        let home = self.home(id);
        private::create_dir(&home.join(".ssh")).unwrap();
        self.write(&format!("{id}.home/.ssh/authorized_keys"), &authorized);
        self.write(&format!("{id}.key"), &instance.host_key().private_key);
        let home = home.display();
        let settings = format!(
            "AuthorizedKeysFile {home}/.ssh/authorized_keys\n\
             SetEnv CONVOX_INSTANCE={id} HOME={home}\n"
        );
        self.listen(id, &settings)
    }

    /// Answers on a port as the machine `name`, whose keys are in files of that name.
    fn listen(&self, name: &str, settings: &str) -> Machine {
        let file = |kind: &str| self.dir.join(format!("{name}.{kind}"));
        // The first line of a kind counts.
        let config = format!(
            "{settings}HostKey {}\nAuthorizedKeysFile {}\nAuthenticationMethods publickey\n\
             UsePAM no\nStrictModes no\n",
            file("key").display(),
            file("authorized").display()
        );
        let config = self.write(&format!("{name}.config"), &config);
        let log = file("log");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_gone = Arc::new(AtomicBool::new(false));
        let (server, gone) = (self.server.clone(), Arc::clone(&is_gone));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if gone.load(Ordering::SeqCst) {
                    return;
                }
                serve(&server, &config, &log, stream.unwrap());
            }
        });
        Machine { port, is_gone }
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for machine in self.machines.values() {
            machine.is_gone.store(true, Ordering::SeqCst);
            // Wakes the thread, which then ends.
            let _ = TcpStream::connect(("127.0.0.1", machine.port));
        }
    }
}

/// Returns how a log calls a public key.
pub fn fingerprint(public: &str) -> String {
    let key = ssh_key::PublicKey::from_openssh(public).unwrap();
    key.fingerprint(ssh_key::HashAlg::Sha256).to_string()
}

/// Gives a connection to a server of its own, as inetd would.
pub fn serve(server: &Path, config: &Path, log: &Path, stream: TcpStream) {
    let stream = OwnedFd::from(stream);
    let mut child = Command::new(server)
        .arg("-i")
        .arg("-f")
        .arg(config)
        .arg("-E")
        .arg(log)
        .stdin(Stdio::from(stream.try_clone().unwrap()))
        .stdout(Stdio::from(stream))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::spawn(move || child.wait());
}
