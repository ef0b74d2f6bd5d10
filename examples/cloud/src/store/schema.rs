//! The tables, and the number of their format. A change of them is a new step here, never an edit of an old one.

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;
use crate::clock;

/// One step a format number, applied in order to an older file.
const STEPS: [&str; 1] = [include_str!("schema.sql")];

/// Brings the file to the newest format and answers its generation.
pub(super) fn prepare(connection: &mut Connection) -> Result<String, StoreError> {
    let known = i64::try_from(STEPS.len()).expect("invariant: few steps");
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::NewerFormat { found, known });
    }
    let tx = connection.transaction()?;
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        tx.execute_batch(step)?;
    }
    tx.pragma_update(None, "user_version", known)?;
    let stored = tx
        .query_row("SELECT value FROM meta WHERE key = 'generation'", [], |row| {
            row.get::<_, String>(0)
        })
        .optional()?;
    let generation = match stored {
        Some(generation) => generation,
        None => {
            let made = clock::new_id();
            tx.execute("INSERT INTO meta (key, value) VALUES ('generation', ?1)", [&made])?;
            made
        }
    };
    tx.commit()?;
    Ok(generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_format_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 999).unwrap();
        assert!(matches!(
            prepare(&mut connection),
            Err(StoreError::NewerFormat { found: 999, .. })
        ));
    }
}
