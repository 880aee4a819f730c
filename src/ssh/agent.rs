//! An SSH agent that holds one key, for one `ssh`, on a socket that nobody else can reach.
//!
//! It speaks as much of the agent protocol (draft-miller-ssh-agent) as logging in takes: it
//! names its key and signs with it. Everything else is refused. It is our own because the crate
//! for it brings along the RSA implementation of RUSTSEC-2023-0071.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};

use super::der::{put_string, take_string, take_u32};
use super::error::SshError;
use super::key::SigningKey;
use super::private_dir::PrivateDir;

/// Numbers of messages (draft-miller-ssh-agent, section 6.1).
const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// The largest message that is read; OpenSSH's own limit.
const LONGEST: usize = 256 * 1024;

/// `SSH_MSG_USERAUTH_REQUEST` (RFC 4252, section 6).
const USERAUTH_REQUEST: u8 = 50;

/// An agent that answers until this is dropped.
#[derive(Debug)]
pub struct Agent {
    socket: PathBuf,
    public_key_file: PathBuf,
    seen: Arc<Flags>,
    task: AbortHandle,
}

#[derive(Debug, Default)]
struct Flags {
    asked: AtomicBool,
    signed: AtomicBool,
}

/// How far an `ssh` has come with the key, which tells why a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// It has asked which key there is: it has reached a server and trusts it.
    pub asked: bool,
    /// It has had a login signed: the server knows the key.
    pub signed: bool,
}

impl Agent {
    /// Starts one for `key`, whose files are called after `label` and are in `dir`.
    ///
    /// It lives on the current tokio runtime.
    ///
    /// # Errors
    /// [`SshError::Socket`], [`SshError::File`].
    pub fn start(dir: &PrivateDir, label: &str, key: Arc<SigningKey>) -> Result<Self, SshError> {
        let owner = std::fs::metadata(dir.path())
            .map_err(SshError::Socket)?
            .uid();
        let public_key_file = dir.write(
            &format!("{label}.pub"),
            &format!("{} {}\n", key.public_line(), key.name()),
        )?;
        let socket = dir.path().join(label);
        let listener = UnixListener::bind(&socket).map_err(SshError::Socket)?;
        let seen = Arc::new(Flags::default());
        let task = tokio::spawn(listen(listener, owner, key, Arc::clone(&seen))).abort_handle();
        Ok(Self {
            socket,
            public_key_file,
            seen,
            task,
        })
    }

    /// Returns the socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the path of a file with the public key, which tells `ssh` what to ask for.
    #[must_use]
    pub fn public_key_file(&self) -> &Path {
        &self.public_key_file
    }

    /// Tells how far `ssh` has come.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen {
            asked: self.seen.asked.load(Ordering::Relaxed),
            signed: self.seen.signed.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: UnixListener, owner: u32, key: Arc<SigningKey>, seen: Arc<Flags>) {
    // Dropping the set ends every conversation.
    let mut conversations = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = conversations.join_next() => {}
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let is_ours = stream.peer_cred().is_ok_and(|peer| peer.uid() == owner);
                if is_ours {
                    conversations.spawn(converse(stream, Arc::clone(&key), Arc::clone(&seen)));
                }
            }
        }
    }
}

/// Answers one client until it hangs up or says what cannot be understood.
async fn converse(mut stream: UnixStream, key: Arc<SigningKey>, seen: Arc<Flags>) {
    while let Ok(Some(message)) = read(&mut stream).await {
        let answer = answer(&message, &key, &seen);
        let mut frame = Vec::with_capacity(answer.len() + 4);
        put_string(&mut frame, &answer);
        if stream.write_all(&frame).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let length = stream.read_u32().await?;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > LONGEST {
        return Ok(None);
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

fn answer(message: &[u8], key: &SigningKey, seen: &Flags) -> Vec<u8> {
    match message.split_first() {
        Some((&REQUEST_IDENTITIES, [])) => {
            seen.asked.store(true, Ordering::Relaxed);
            let mut answer = vec![IDENTITIES_ANSWER];
            answer.extend(1_u32.to_be_bytes());
            put_string(&mut answer, key.blob());
            put_string(&mut answer, key.name().as_bytes());
            answer
        }
        Some((&SIGN_REQUEST, request)) => match signature(request, key) {
            Some(signature) => {
                seen.signed.store(true, Ordering::Relaxed);
                let mut answer = vec![SIGN_RESPONSE];
                put_string(&mut answer, &signature);
                answer
            }
            None => vec![FAILURE],
        },
        _ => vec![FAILURE],
    }
}

/// Signs a login with the one key; nothing else is signed, whoever asks.
fn signature(request: &[u8], key: &SigningKey) -> Option<Vec<u8>> {
    let mut request = request;
    let blob = take_string(&mut request)?;
    let data = take_string(&mut request)?;
    let flags = take_u32(&mut request)?;
    let is_login = request.is_empty() && blob == key.blob() && is_login(data);
    is_login.then(|| key.sign(data, flags)).flatten()
}

/// Tells whether data is what a client signs to log in: a session's id, then the request.
fn is_login(data: &[u8]) -> bool {
    let mut data = data;
    take_string(&mut data).is_some_and(|session| !session.is_empty())
        && data.first() == Some(&USERAUTH_REQUEST)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    use ssh_key::LineEnding;
    use ssh_key::private::Ed25519Keypair;

    use super::*;
    use crate::ids::Entropy;
    use crate::rack::PrivateKey;

    fn key(seed: u8) -> (Arc<SigningKey>, Vec<u8>) {
        let private = ssh_key::PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
        let text = private.to_openssh(LineEnding::LF).unwrap().to_string();
        let key = SigningKey::read("demo", &PrivateKey::new(text)).unwrap();
        let public = private.public_key().key_data().ed25519().unwrap().0;
        (Arc::new(key), public.to_vec())
    }

    fn login() -> Vec<u8> {
        let mut data = Vec::new();
        put_string(&mut data, b"session");
        data.push(USERAUTH_REQUEST);
        data.extend(b"...");
        data
    }

    fn sign_request(blob: &[u8], data: &[u8]) -> Vec<u8> {
        let mut message = vec![SIGN_REQUEST];
        put_string(&mut message, blob);
        put_string(&mut message, data);
        message.extend(0_u32.to_be_bytes());
        message
    }

    async fn ask(stream: &mut UnixStream, message: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        put_string(&mut frame, message);
        stream.write_all(&frame).await.unwrap();
        read(stream).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn it_names_its_key_signs_logins_and_refuses_the_rest() {
        let home = tempfile::tempdir().unwrap();
        let dir = PrivateDir::create(&[home.path().to_owned()], &Entropy::seeded(1)).unwrap();
        let (key, public) = key(7);
        let agent = Agent::start(&dir, "agent", Arc::clone(&key)).unwrap();
        let mut stream = UnixStream::connect(agent.socket()).await.unwrap();
        let nothing = Seen {
            asked: false,
            signed: false,
        };
        assert_eq!(agent.seen(), nothing);

        let identities = ask(&mut stream, &[REQUEST_IDENTITIES]).await;
        assert_eq!(identities[..5], [IDENTITIES_ANSWER, 0, 0, 0, 1]);
        let mut rest = &identities[5..];
        assert_eq!(take_string(&mut rest), Some(key.blob()));
        assert_eq!(take_string(&mut rest), Some(&b"demo"[..]));
        assert!(agent.seen().asked);

        let (other, _) = self::key(8);
        for refused in [
            sign_request(other.blob(), &login()),
            // What `ssh-keygen -Y sign` asks for.
            sign_request(key.blob(), b"SSHSIG\0\0\0\x04file"),
            sign_request(key.blob(), b""),
            sign_request(key.blob(), &login())[..40].to_vec(),
            [sign_request(key.blob(), &login()), vec![0]].concat(),
            vec![REQUEST_IDENTITIES, 0],
            vec![17],
            vec![19],
            vec![27, 0, 0, 0, 5],
            vec![],
        ] {
            assert_eq!(ask(&mut stream, &refused).await, [FAILURE], "{refused:?}");
        }
        assert!(!agent.seen().signed);

        let signed = ask(&mut stream, &sign_request(key.blob(), &login())).await;
        assert_eq!(signed[0], SIGN_RESPONSE);
        let mut wire = take_string(&mut &signed[1..]).unwrap();
        assert_eq!(take_string(&mut wire), Some(&b"ssh-ed25519"[..]));
        let signature = take_string(&mut wire).unwrap();
        let public = UnparsedPublicKey::new(&ED25519, public);
        public.verify(&login(), signature).unwrap();
        assert!(agent.seen().signed);

        let told = std::fs::read_to_string(agent.public_key_file()).unwrap();
        assert_eq!(told, format!("{} demo\n", key.public_line()));
    }

    #[tokio::test]
    async fn it_hangs_up_on_too_much_and_when_it_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let dir = PrivateDir::create(&[home.path().to_owned()], &Entropy::seeded(1)).unwrap();
        let agent = Agent::start(&dir, "agent", key(7).0).unwrap();
        let mut stream = UnixStream::connect(agent.socket()).await.unwrap();
        stream.write_all(&[0xff; 4]).await.unwrap();
        assert!(read(&mut stream).await.is_err());
        let mut open = UnixStream::connect(agent.socket()).await.unwrap();
        assert_eq!(ask(&mut open, &[0]).await, [FAILURE]);
        let socket = agent.socket().to_owned();
        drop(agent);
        assert!(read(&mut open).await.is_err());
        assert!(UnixStream::connect(&socket).await.is_err());
        drop(dir);
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
