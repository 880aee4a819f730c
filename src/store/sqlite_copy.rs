//! Copies of a SQLite database: whole, on the disk, and never over another file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};

use super::error::StoreError;
use super::migrations;
use crate::private;

/// Writes what `connection` has, as it is at one moment, into the new file `to`.
///
/// Others may go on writing meanwhile. The copy is made beside its place, brought to the disk and
/// only then given its name.
///
/// # Errors
/// When there is such a file already, or it cannot be written.
pub(super) async fn copy(connection: &mut SqliteConnection, to: &Path) -> Result<(), StoreError> {
    let beside = beside(to);
    let result = copy_by(connection, &beside, to).await;
    let _ = fs::remove_file(&beside);
    result
}

async fn copy_by(
    connection: &mut SqliteConnection,
    beside: &Path,
    to: &Path,
) -> Result<(), StoreError> {
    if to.try_exists().map_err(failed(to))? {
        return Err(StoreError::FileExists(to.display().to_string()));
    }
    let mut options = private::open_options();
    let made = options.write(true).create_new(true).open(beside);
    drop(made.map_err(failed(beside))?);
    // It takes a file that is there if it is empty: so that it is its owner's only.
    sqlx::query("VACUUM INTO $1")
        .bind(beside.to_string_lossy())
        .execute(connection)
        .await?;
    let synced = File::open(beside).and_then(|file| file.sync_all());
    synced.map_err(failed(beside))?;
    // A link, since a renamed file would take the place of another that came up meanwhile.
    fs::hard_link(beside, to).map_err(failed(to))?;
    let directory = to.parent().filter(|dir| !dir.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let synced = File::open(directory).and_then(|dir| dir.sync_all());
    synced.map_err(failed(directory))
}

/// Makes the database `to` of the copy `from`.
///
/// Returns the version of its schema, and the newest known here.
///
/// # Errors
/// When `from` is no database of ours, is newer than this program or broken, and when there is a
/// file `to` already.
pub(super) async fn restore(from: &Path, to: &Path) -> Result<(i64, i64), StoreError> {
    for suffix in ["", "-wal"] {
        let file = with_suffix(to, suffix);
        if file.try_exists().map_err(failed(&file))? {
            return Err(StoreError::FileExists(file.display().to_string()));
        }
    }
    let options = SqliteConnectOptions::new().filename(from).read_only(true);
    let mut connection = options.connect().await?;
    let found = sqlx::query(migrations::FOUND)
        .fetch_one(&mut connection)
        .await
        .map_err(|_| StoreError::Broken(format!("{} is no backup", from.display())))?;
    let found = found.try_get(0)?;
    let known = migrations::newest(&migrations::sqlite());
    migrations::check((found, known))?;
    let wrong = wrong_with(&mut connection).await?;
    if let Some(wrong) = wrong.first() {
        let broken = format!("{} is broken: {wrong}", from.display());
        return Err(StoreError::Broken(broken));
    }
    copy(&mut connection, to).await?;
    connection.close().await?;
    Ok((found, known))
}

/// Says what is wrong with a database, by SQLite's own checks.
pub(super) async fn wrong_with(
    connection: &mut SqliteConnection,
) -> Result<Vec<String>, StoreError> {
    let mut wrong = Vec::new();
    let checks = sqlx::query("PRAGMA integrity_check(20)");
    for row in checks.fetch_all(&mut *connection).await? {
        let said: String = row.try_get(0)?;
        if said != "ok" {
            wrong.push(said);
        }
    }
    let checks = sqlx::query("PRAGMA foreign_key_check");
    let strays = checks.fetch_all(&mut *connection).await?;
    if let Some(first) = strays.first() {
        let table: String = first.try_get(0)?;
        let more = strays.len();
        wrong.push(format!(
            "{more} rows name others that are not there, the first in {table}"
        ));
    }
    Ok(wrong)
}

fn beside(path: &Path) -> PathBuf {
    with_suffix(path, &format!(".{}.partial", std::process::id()))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> StoreError {
    move |error| StoreError::Database(format!("{}: {error}", path.display()))
}
