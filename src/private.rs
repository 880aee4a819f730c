//! Files and directories that only their owner may open, where the system knows owners.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

/// Makes a directory, and those above it that are missing, for their owner only (mode 0700).
///
/// # Errors
/// As [`DirBuilder::create`]; a directory that is there already is no error.
pub fn create_dir(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Says how to open a file which, if it is made, is for its owner only (mode 0600).
#[must_use]
pub fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes an empty file for its owner only, unless there is a file already.
///
/// # Errors
/// As the file system's.
pub fn touch(path: &Path) -> io::Result<()> {
    let mut options = open_options();
    options.create(true).truncate(false).write(true);
    options.open(path).map(drop)
}

/// Writes a file whole or not at all: beside its place, brought to the disk, and renamed.
///
/// A crash leaves the old file or the new one. Writers that must not lose what another wrote
/// hold a [`lock`].
///
/// # Errors
/// As the file system's; then the old file is as it was.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = directory.join(format!(".{name}.{}", std::process::id()));
    // What a killed process of the same number left is of no use to anybody.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = (|| {
        let mut file = open_options().write(true).create_new(true).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Waits until no other process holds the lock file `path`, and holds it as long as what it
/// returns lives.
///
/// # Errors
/// As the file system's.
pub fn lock(path: &Path) -> io::Result<File> {
    let file = open_lock(path)?;
    file.lock()?;
    Ok(file)
}

/// Opens the lock file `path`, which is made if need be, and does not lock it yet.
///
/// # Errors
/// As the file system's.
pub fn open_lock(path: &Path) -> io::Result<File> {
    open_options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}
