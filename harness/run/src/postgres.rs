//! Looks through the tables of a PostgreSQL as one tenant sees them.
//!
//! In one transaction that can only read, and that is rolled back. The role must be one for which policies hold: to a superuser the
//! database shows everything, which says nothing about the application.

use coalmine_core::history::{CutOff, OpenFor, OpenTable};
use futures_util::TryStreamExt;
use serde_json::{Map, Value};
use tokio::net::TcpStream;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Client, Config, Error, NoTls, Row};

use crate::allow::Destinations;
use crate::observe::Observer;
use crate::store;

const TABLES_MAX: u32 = 200;
const ROWS_MAX: u32 = 10_000;
/// Of one row; what is longer is cut off.
const ROW_CHARS_MAX: usize = 4 << 20;
/// Of all rows of one search.
const BYTES_MAX: usize = 64 << 20;
const PORT: u16 = 5432;

const ROLE: &str =
    "SELECT rolname::text, rolsuper OR rolbypassrls FROM pg_catalog.pg_roles WHERE rolname = current_user";

/// Schema, name, quoted name and kind of what is searched. Without names, that of which a policy holds for the role.
const TABLES: &str = "SELECT n.nspname::text, c.relname::text, format('%I.%I', n.nspname, c.relname), c.relkind::text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema') \
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
    AND CASE WHEN cardinality($1::text[]) = 0 THEN row_security_active(c.oid) \
    ELSE c.relname::text = ANY($1) OR n.nspname::text || '.' || c.relname::text = ANY($1) END \
    ORDER BY 1, 2 LIMIT $2";

/// Name, column and reason of every table with a column that says whose a row is, for which no policy holds for the role. Partitions are
/// reached through the table that they are part of.
const OPEN_TABLES: &str = "SELECT format('%I.%I', n.nspname, c.relname), a.attname::text, \
    CASE WHEN r.rolsuper OR r.rolbypassrls THEN 'role' WHEN c.relrowsecurity THEN 'owner' ELSE 'off' END \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_catalog.pg_roles r ON r.rolname = current_user \
    CROSS JOIN LATERAL (SELECT a.attname FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
    AND NOT a.attisdropped AND lower(a.attname::text) = ANY($1) \
    ORDER BY array_position($1, lower(a.attname::text)) LIMIT 1) a \
    WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition \
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' \
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
    AND NOT row_security_active(c.oid) ORDER BY 1 LIMIT $2";

/// What is searched, with every hole filled.
pub(crate) struct Search<'a> {
    /// `postgres://role:password@host:port/database`, or as `key=value` pairs.
    pub(crate) address: &'a str,
    /// By which the database knows the tenant.
    pub(crate) settings: &'a [(String, String)],
    /// None: all with a policy.
    pub(crate) tables: &'a [String],
    /// Columns that say whose a row is, where tables with them and without a policy are to be told.
    pub(crate) tenant_columns: Option<&'a [String]>,
    /// How long the server may work on one statement.
    pub(crate) time_ms_max: u64,
}

struct Table {
    schema: String,
    name: String,
    quoted: String,
    /// Whether its rows have places by which they can be looked up.
    has_places: bool,
}

/// How much of what a search may take it has taken.
#[derive(PartialEq, Eq)]
enum Extent {
    Whole,
    CutOff,
}

impl Search<'_> {
    /// Shows every value that it reads to the observer. The error says in words, without secrets, why it read not all of them.
    pub(crate) async fn run(&self, destinations: &Destinations, observer: &mut Observer<'_>) -> Result<(), String> {
        let config: Config = self.address.parse().map_err(|_| "the address of the store cannot be read".to_owned())?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err("the address of the store asks for TLS, which a search does not speak".to_owned());
        }
        let stream = connect(&config, destinations).await?;
        let (client, connection) = config.connect_raw(stream, NoTls).await.map_err(told)?;
        // Where the search ends early, rows that nobody wants any more are on their way: the connection does not wait for them.
        tokio::select! {
            biased;
            outcome = self.search(&client, observer) => outcome,
            _ = connection => Err("the connection to PostgreSQL broke".to_owned()),
        }
    }

    async fn search(&self, client: &Client, observer: &mut Observer<'_>) -> Result<(), String> {
        client.batch_execute("BEGIN READ ONLY").await.map_err(told)?;
        let time_ms_max = self.time_ms_max.to_string();
        // Once this has been asked, the transaction can no longer be made one that writes.
        set(client, "statement_timeout", &time_ms_max).await?;
        for (name, value) in self.settings {
            set(client, name, value).await?;
        }
        // One of the settings may be the role.
        if let Some(columns) = self.tenant_columns {
            observer.open_tables(open_tables(client, columns).await?);
        }
        self.check_role(client).await?;
        let tables = self.tables(client, observer).await?;
        let mut bytes_left = BYTES_MAX;
        for table in &tables {
            if table.search(client, observer, &mut bytes_left).await? == Extent::CutOff {
                return Ok(());
            }
        }
        client.batch_execute("ROLLBACK").await.map_err(told)
    }

    async fn check_role(&self, client: &Client) -> Result<(), String> {
        let row = client.query_one(ROLE, &[]).await.map_err(told)?;
        let (role, sees_all): (String, bool) = (row.get(0), row.get(1));
        if sees_all {
            return Err(format!("no policy holds for the role `{role}`: connect as the application's own role"));
        }
        Ok(())
    }

    async fn tables(&self, client: &Client, observer: &mut Observer<'_>) -> Result<Vec<Table>, String> {
        let rows = client.query(TABLES, &[&self.tables, &i64::from(TABLES_MAX + 1)]).await.map_err(told)?;
        let mut tables: Vec<Table> = rows.iter().map(Table::of).collect();
        if let Some(missing) = self.tables.iter().find(|name| !tables.iter().any(|table| table.is_called(name))) {
            return Err(format!("there is no table `{missing}` that the role may read"));
        }
        if tables.is_empty() {
            return Err("there is no table with a policy that holds for the role".to_owned());
        }
        if tables.len() > TABLES_MAX as usize {
            tables.truncate(TABLES_MAX as usize);
            observer.cut(CutOff::Tables { tables_max: TABLES_MAX });
        }
        Ok(tables)
    }
}

async fn open_tables(client: &Client, columns: &[String]) -> Result<Vec<OpenTable>, String> {
    let rows = client.query(OPEN_TABLES, &[&columns, &i64::from(TABLES_MAX)]).await.map_err(told)?;
    let open = |row: &Row| OpenTable {
        table: row.get(0),
        column: row.get(1),
        why: match row.get(2) {
            "role" => OpenFor::TheRole,
            "owner" => OpenFor::ItsOwner,
            _ => OpenFor::Everybody,
        },
    };
    Ok(rows.iter().map(open).collect())
}

impl Table {
    fn of(row: &Row) -> Self {
        let kind: String = row.get(3);
        Self { schema: row.get(0), name: row.get(1), quoted: row.get(2), has_places: kind != "v" }
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || format!("{}.{}", self.schema, self.name) == name
    }

    async fn search(
        &self,
        client: &Client,
        observer: &mut Observer<'_>,
        bytes_left: &mut usize,
    ) -> Result<Extent, String> {
        let place = if self.has_places { "t.ctid::text" } else { "NULL::text" };
        let quoted = &self.quoted;
        let row_chars = ROW_CHARS_MAX + 1;
        let limit = ROWS_MAX + 1;
        let statement =
            format!("SELECT {place}, left(to_jsonb(t)::text, {row_chars}) FROM {quoted} AS t LIMIT {limit}");
        let rows = client.query_raw(&statement, std::iter::empty::<&str>()).await.map_err(told)?;
        let mut rows = std::pin::pin!(rows);
        let mut count = 0;
        while let Some(row) = rows.try_next().await.map_err(told)? {
            count += 1;
            let (ctid, text): (Option<String>, String) = (row.get(0), row.get(1));
            if count > ROWS_MAX {
                observer.cut(CutOff::Rows { rows_max: ROWS_MAX });
                break;
            }
            let Some(left) = bytes_left.checked_sub(text.len()) else {
                observer.cut(CutOff::Body { bytes_max: BYTES_MAX as u64 });
                return Ok(Extent::CutOff);
            };
            *bytes_left = left;
            show(observer, &self.quoted, ctid.as_deref(), &text);
        }
        Ok(Extent::Whole)
    }
}

/// One row as JSON, value by value.
fn show(observer: &mut Observer<'_>, table: &str, ctid: Option<&str>, text: &str) {
    let row = ctid.map_or_else(String::new, |ctid| format!(", row {ctid}"));
    let Ok(columns) = serde_json::from_str::<Map<String, Value>>(text) else {
        observer.stored(&format!("{table}{row}"), text.as_bytes());
        observer.cut(CutOff::Body { bytes_max: ROW_CHARS_MAX as u64 });
        return;
    };
    for (column, value) in &columns {
        let place = format!("{table}.{column}{row}");
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::String(text) => {
                observer.stored(&place, &bytes_of(text).unwrap_or_else(|| text.as_bytes().to_vec()));
            }
            value => observer.stored(&place, value.to_string().as_bytes()),
        }
    }
}

/// The bytes of a `bytea`, which stands in JSON as hexadecimal digits.
fn bytes_of(text: &str) -> Option<Vec<u8>> {
    data_encoding::HEXLOWER.decode(text.strip_prefix("\\x")?.as_bytes()).ok()
}

/// Until the end of the transaction.
async fn set(client: &Client, name: &str, value: &str) -> Result<(), String> {
    client.execute("SELECT set_config($1, $2, true)", &[&name, &value]).await.map_err(told).map(|_| ())
}

async fn connect(config: &Config, destinations: &Destinations) -> Result<TcpStream, String> {
    let Some(Host::Tcp(host)) = config.get_hosts().first() else {
        return Err("the address of the store names no host".to_owned());
    };
    store::connect(destinations, host, config.get_ports().first().copied().unwrap_or(PORT)).await
}

/// The server's own words may quote values.
fn told(error: Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("PostgreSQL answers with SQLSTATE {}", refusal.code().code()),
        None => "the connection to PostgreSQL broke, or what came over it is not PostgreSQL".to_owned(),
    }
}

#[cfg(test)]
#[cfg(not(coalmine_loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_as_bytes_is_read_as_those_and_no_text_is_too_odd(bytes: Vec<u8>, text: String) {
            let written = format!("\\x{}", data_encoding::HEXLOWER.encode(&bytes));
            prop_assert_eq!(bytes_of(&written), Some(bytes));
            prop_assert!(bytes_of(&text).is_none_or(|bytes| text.len() == 2 * bytes.len() + 2));
        }
    }

    #[test]
    fn a_bytea_is_looked_at_as_its_bytes() {
        assert_eq!(bytes_of("\\x6869").as_deref(), Some(&b"hi"[..]));
        for text in ["6869", "\\x686", "\\xyz", ""] {
            assert_eq!(bytes_of(text), None, "{text}");
        }
    }
}
