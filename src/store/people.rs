//! People: who they are, and what they may do in which organization, which is a workspace.

use std::fmt;
use std::str::FromStr;

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::value::{Row, args};
use crate::keys::{IdKind, new_id};

/// What somebody may do in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Log in and deploy: a key for machines, which changes nothing of a rack itself.
    Deploy,
    /// Look at racks, and change nothing.
    Read,
    /// Change racks and roll their keys.
    Operator,
    /// Do that, and say who may do what.
    Admin,
}

impl Role {
    /// All roles, from the one that may do least.
    pub const ALL: [Self; 4] = [Self::Deploy, Self::Read, Self::Operator, Self::Admin];

    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Read => "read",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role (deploy, read, operator, admin)")]
pub struct BadRole(String);

impl FromStr for Role {
    type Err = BadRole;

    fn from_str(text: &str) -> Result<Self, BadRole> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| BadRole(text.to_owned()))
    }
}

/// Somebody who may call the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their id, to which their keys are issued.
    pub id: String,
    /// What they are called, such as an address; nobody else is.
    pub name: String,
    /// When they came, in Unix ms.
    pub created_at: i64,
}

/// That somebody belongs to an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organization's workspace.
    pub workspace: String,
    /// What the organization is called.
    pub organization: String,
    /// What they may do there.
    pub role: Role,
}

impl Store {
    /// Makes a person who belongs to the organization in which this is audited.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when somebody has that name.
    pub async fn create_person(
        &self,
        name: &str,
        role: Role,
        by: Audited,
    ) -> Result<Person, StoreError> {
        let person = Person {
            id: new_id(IdKind::Person, by.at(), &self.entropy),
            name: name.to_owned(),
            created_at: by.at(),
        };
        let made = person.clone();
        self.write(move |sql| {
            Box::pin(async move {
                let insert = "INSERT INTO people (id, name, created_at) VALUES ($1, $2, $3) \
                              ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING";
                let args = args![&made.id, &made.name, made.created_at];
                if sql.run(insert.into(), args).await? == 0 {
                    return Err(StoreError::Exists(Thing::Person));
                }
                put_membership(sql, &made.id, role, &by).await?;
                let told = format!("Added {} as {role}", made.name);
                by.record(sql, "person.create", &told, &[&made.id]).await
            })
        })
        .await?;
        Ok(person)
    }

    /// Says what somebody may do from now on in the organization in which this is audited.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such person, [`StoreError::Unfit`] when nobody
    /// would be left who may say who may do what.
    pub async fn set_role(&self, person: &str, role: Role, by: Audited) -> Result<(), StoreError> {
        let id = person.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                lock_organization(sql, by.workspace()).await?;
                let person = find_person(sql, "id", &id).await?;
                let before = admins(sql, by.workspace()).await?;
                put_membership(sql, &person.id, role, &by).await?;
                keep_an_admin(sql, by.workspace(), before).await?;
                let told = format!("Made {} {role}", person.name);
                by.record(sql, "person.role", &told, &[&person.id]).await
            })
        })
        .await
    }

    /// Takes somebody out of the organization in which this is audited. Who belongs to no other
    /// is gone, with all keys.
    ///
    /// # Errors
    /// As [`set_role`](Self::set_role)'s.
    pub async fn remove_person(&self, person: &str, by: Audited) -> Result<(), StoreError> {
        let id = person.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                lock_organization(sql, by.workspace()).await?;
                let person = find_person(sql, "id", &id).await?;
                let before = admins(sql, by.workspace()).await?;
                let delete = "DELETE FROM memberships WHERE person_id = $1 AND workspace_id = $2";
                if sql.run(delete.into(), args![&id, by.workspace()]).await? == 0 {
                    return Err(StoreError::NotFound(Thing::Person));
                }
                keep_an_admin(sql, by.workspace(), before).await?;
                let forget = "UPDATE people SET deleted_at = $2 WHERE id = $1 AND NOT EXISTS \
                              (SELECT 1 FROM memberships m WHERE m.person_id = $1)";
                sql.run(forget.into(), args![&id, by.at()]).await?;
                let told = format!("Removed {}", person.name);
                by.record(sql, "person.remove", &told, &[&id]).await
            })
        })
        .await
    }

    /// Returns the person of that name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none.
    pub async fn person_called(&self, name: &str) -> Result<Person, StoreError> {
        let name = name.to_owned();
        self.read_once(move |sql| Box::pin(async move { find_person(sql, "name", &name).await }))
            .await
    }

    /// Returns a person, and where they belong, by the organization's name; none if they are gone.
    ///
    /// # Errors
    /// As the database's.
    pub async fn person(&self, id: &str) -> Result<Option<(Person, Vec<Membership>)>, StoreError> {
        let id = id.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let person = match find_person(sql, "id", &id).await {
                    Ok(person) => person,
                    Err(StoreError::NotFound(_)) => return Ok(None),
                    Err(error) => return Err(error),
                };
                let query = "SELECT w.id, w.name, m.role FROM memberships m \
                             JOIN workspaces w ON w.id = m.workspace_id \
                             WHERE m.person_id = $1 AND w.enabled = 1 ORDER BY w.name, w.id";
                let memberships = sql.all(query, args![id], |row| {
                    Ok(Membership {
                        workspace: row.text()?,
                        organization: row.text()?,
                        role: read_role(row)?,
                    })
                });
                Ok(Some((person, memberships.await?)))
            })
        })
        .await
    }

    /// Lists who belongs to an organization, by name.
    ///
    /// # Errors
    /// As the database's.
    pub async fn people(&self, workspace: &str) -> Result<Vec<(Person, Role)>, StoreError> {
        let workspace = workspace.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT p.id, p.name, p.created_at, m.role FROM people p \
                             JOIN memberships m ON m.person_id = p.id \
                             WHERE m.workspace_id = $1 AND p.deleted_at IS NULL ORDER BY p.name";
                sql.all(query, args![workspace], |row| {
                    Ok((read_person(row)?, read_role(row)?))
                })
                .await
            })
        })
        .await
    }
}

/// Keeps others from changing who belongs to an organization until the transaction ends.
async fn lock_organization(sql: &mut dyn Sql, workspace: &str) -> Result<(), StoreError> {
    let lock = format!(
        "SELECT id FROM workspaces WHERE id = $1{}",
        sql.for_update()
    );
    sql.row(lock, args![workspace]).await.map(drop)
}

async fn put_membership(
    sql: &mut dyn Sql,
    person: &str,
    role: Role,
    by: &Audited,
) -> Result<(), StoreError> {
    let put = "INSERT INTO memberships (person_id, workspace_id, role, created_at) \
               VALUES ($1, $2, $3, $4) \
               ON CONFLICT (person_id, workspace_id) DO UPDATE SET role = excluded.role";
    let args = args![person, by.workspace(), role.as_str(), by.at()];
    sql.run(put.into(), args).await.map(drop)
}

/// Counts who may let others in.
async fn admins(sql: &mut dyn Sql, workspace: &str) -> Result<i64, StoreError> {
    let query = "SELECT count(*) FROM memberships WHERE workspace_id = $1 AND role = 'admin'";
    let row = sql.row(query, args![workspace]).await?;
    row.ok_or(StoreError::Shape("a count"))?.int()
}

/// Refuses to take away the last one who may let others in.
async fn keep_an_admin(sql: &mut dyn Sql, workspace: &str, before: i64) -> Result<(), StoreError> {
    if before > 0 && admins(sql, workspace).await? == 0 {
        let told = "the organization would have no admin left";
        return Err(StoreError::Unfit(told.to_owned()));
    }
    Ok(())
}

async fn find_person(
    sql: &mut dyn Sql,
    column: &'static str,
    value: &str,
) -> Result<Person, StoreError> {
    let query = format!(
        "SELECT id, name, created_at FROM people WHERE {column} = $1 AND deleted_at IS NULL"
    );
    let row = sql.row(query, args![value]).await?;
    read_person(&mut row.ok_or(StoreError::NotFound(Thing::Person))?)
}

fn read_person(row: &mut Row) -> Result<Person, StoreError> {
    Ok(Person {
        id: row.text()?,
        name: row.text()?,
        created_at: row.int()?,
    })
}

fn read_role(row: &mut Row) -> Result<Role, StoreError> {
    row.text()?.parse().map_err(|_| StoreError::Shape("a role"))
}
