//! A shell in a terminal, and the home that it starts in.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// How often the screen is looked at before a text is given up: each look starts a process, so
/// that this is much longer than any shell takes, on a slow machine too.
const LOOKS: usize = 4000;

/// How often an account is asked for values before they are given up. What is asked for the first
/// time may take longer than a shell is made to wait.
const ASKED: usize = 400;

/// An empty home, with the scripts installed as the README says.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Gives a command nothing but this home.
    pub fn environment(&self, command: &mut Command) {
        let bin = Path::new(env!("CARGO_BIN_EXE_convox")).parent().unwrap();
        command
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("NO_COLOR", "1")
            .current_dir(self.path());
    }

    /// Runs `convox`, which must go well.
    pub fn convox(&self, args: &[&str]) -> String {
        self.run(args, &[])
    }

    /// Waits until there are values after the words of a line, so that Tab finds them kept.
    pub fn warm(&self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        for _ in 0..ASKED {
            let args = [&["__complete", "fish", "="], &words[..]].concat();
            if self.convox(&args).lines().count() > 1 {
                return;
            }
        }
        panic!("no values after {line}");
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        self.environment(&mut command);
        let output = command
            .args(args)
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Rehearses a roll in virtual time, and returns its id.
    pub fn roll(&self) -> String {
        let rehearsal = [
            ("CONVOX_TEST_EPOCH", "2026-11-22T03:00:00Z"),
            ("CONVOX_TEST_SEED", "7"),
        ];
        self.run(&["--sandbox", "instances", "keyroll"], &rehearsal);
        let files = self.files();
        let journal = files.iter().find_map(|file| {
            let name = Path::new(file).file_name()?.to_str()?;
            let roll = name.strip_suffix(".jsonl")?;
            (!roll.contains('.')).then(|| roll.to_owned())
        });
        journal.unwrap()
    }

    /// Lists the files below the home.
    pub fn files(&self) -> Vec<String> {
        fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, files);
                } else {
                    files.push(path);
                }
            }
        }
        let mut files = Vec::new();
        walk(self.path(), &mut files);
        let name = |path: PathBuf| {
            let path = path.strip_prefix(self.path()).unwrap().to_owned();
            path.to_str().unwrap().to_owned()
        };
        files.into_iter().map(name).collect()
    }

    /// Makes everything that accounts have answered an hour old.
    pub fn age_answers(&self) {
        let mut count = 0;
        for file in self.files() {
            if file.contains("completion") && Path::new(&file).extension() == Some("json".as_ref())
            {
                let path = self.path().join(&file);
                let text = fs::read_to_string(&path).unwrap();
                let mut kept: serde_json::Value = serde_json::from_str(&text).unwrap();
                for time in ["asked", "answered"] {
                    let aged: jiff::Timestamp = kept[time].as_str().unwrap().parse().unwrap();
                    let aged = aged - std::time::Duration::from_secs(3600);
                    kept[time] = aged.to_string().into();
                }
                fs::write(&path, kept.to_string()).unwrap();
                count += 1;
            }
        }
        assert!(count > 0, "nothing was kept: {:?}", self.files());
    }

    /// Installs completion for a shell, and returns the command that starts it.
    fn install(&self, shell: &str) -> String {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
        let script = |name: &str| fs::read_to_string(scripts.join(name)).unwrap();
        match shell {
            "bash" => {
                self.write(".convox.bash", &script("convox.bash"));
                let rc = "PS1='% '\nbind 'set bell-style none'\nbind 'set enable-bracketed-paste off'\nsource ~/.convox.bash\n";
                self.write(".bashrc", rc);
                "bash --noprofile".to_owned()
            }
            "zsh" => {
                self.write(".zfunc/_convox", &script("_convox"));
                let rc = "PS1='%% '\nunsetopt beep\nfpath=(~/.zfunc $fpath)\nautoload -Uz compinit\ncompinit -u\n";
                self.write(".zshrc", rc);
                "zsh --no-globalrcs".to_owned()
            }
            "fish" => {
                self.write(
                    ".config/fish/completions/convox.fish",
                    &script("convox.fish"),
                );
                let rc = "function fish_prompt; echo -n '% '; end\nset -g fish_greeting\nset -g fish_autosuggestion_enabled 0\n";
                self.write(".config/fish/config.fish", rc);
                "fish".to_owned()
            }
            "elvish" => {
                self.write(".convox.elv", &script("convox.elv"));
                let rc = "set edit:prompt = { print '% ' }\nset edit:rprompt = { }\nset edit:insert:binding[Ctrl-L] = { edit:clear }\neval (slurp < ~/.convox.elv)\n";
                self.write(".config/elvish/rc.elv", rc);
                // Its history is kept by a process of its own, which others would share.
                "elvish -sock ~/elvish.sock -db ~/elvish.db".to_owned()
            }
            other => panic!("{other} is not tested"),
        }
    }
}

/// A shell in tmux. It ends when this is dropped.
pub struct Terminal<'a> {
    home: &'a Home,
    shell: String,
}

impl<'a> Terminal<'a> {
    /// Starts a shell and waits for its prompt; none where it or tmux is not installed.
    pub fn open(shell: &str, home: &'a Home) -> Option<Self> {
        for program in ["tmux", shell] {
            let found = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(program).exists());
            if !found.contains(&true) {
                // What a test prints is kept from view while it passes; this is not.
                let note = format!("skipped: {program} is not installed (see .ci/shells)\n");
                let _ = std::io::stderr().write_all(note.as_bytes());
                return None;
            }
        }
        let command = home.install(shell);
        let terminal = Self {
            home,
            shell: shell.to_owned(),
        };
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "120",
            "-y",
            "40",
            &command,
        ]);
        terminal.until("its prompt", |screen| screen == "%");
        Some(terminal)
    }

    /// Types text.
    pub fn type_in(&self, text: &str) {
        self.tmux(&["send-keys", "-l", "--", text]);
    }

    /// Presses a key, by its name in tmux.
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Erases the line, which no signal could do at any moment, and waits for a bare prompt.
    pub fn give_up(&self) {
        self.press("C-u");
        self.until("a bare prompt", |screen| {
            screen.lines().next_back() == Some("%")
        });
    }

    /// Clears the screen, but for the prompt.
    pub fn clear(&self) {
        self.press("C-l");
        self.until("an empty screen", |screen| screen == "%");
    }

    /// Waits until the text is somewhere on the screen.
    pub fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contains(text));
    }

    /// Waits until the line, prompt included, is the last one, with the cursor at its end.
    pub fn stands_at(&self, line: &str) {
        self.until(line, |screen| screen.lines().next_back() == Some(line));
    }

    /// The same, with nothing above it.
    pub fn stands_alone_at(&self, line: &str) {
        self.stands_at(line);
        assert_eq!(self.screen(), line, "{}", self.shell);
    }

    fn until(&self, what: &str, is_it: impl Fn(&str) -> bool) {
        for _ in 0..LOOKS {
            if is_it(&self.screen()) {
                return;
            }
        }
        panic!("{}: no {what:?} on\n{}", self.shell, self.screen());
    }

    /// Reads the screen. A blank at the end of its last line is there if the cursor is past it.
    fn screen(&self) -> String {
        let look = [
            "capture-pane",
            "-p",
            ";",
            "display-message",
            "-p",
            "#{cursor_x}",
        ];
        let text = self.tmux(&look);
        let (screen, column) = text.trim_end().rsplit_once('\n').unwrap();
        let lines: Vec<_> = screen.lines().map(str::trim_end).collect();
        let mut screen = lines.join("\n").trim_end().to_owned();
        let last = screen.lines().next_back().unwrap_or_default();
        if last.starts_with("% ") && column.parse() == Ok(last.chars().count() + 1) {
            screen.push(' ');
        }
        screen
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = Command::new("tmux");
        self.home.environment(&mut command);
        let output = command
            .arg("-S")
            .arg(self.home.path().join("tmux"))
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let socket = self.home.path().join("tmux");
        let ended = command.arg("-S").arg(socket).arg("kill-server").output();
        if !std::thread::panicking() {
            ended.unwrap();
        }
    }
}
