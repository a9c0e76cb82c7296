//! Accounts that exist already, read from a table: CSV with a header line, or JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::compile::TENANTS_MAX;

/// Columns that say who somebody is; all others are secrets unless they are named as open.
const OWN_COLUMNS: [&str; 3] = ["tenant", "user", "role"];
/// `user.NAME` that every user has without a table.
const TAKEN: [&str; 2] = ["name", "index"];
const ROWS_MAX: usize = 200_000;
const COLUMNS_MAX: usize = 64;

/// Accounts by tenant, in the order of the table.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    pub(crate) tenants: Vec<TenantAccounts>,
    /// What the columns besides tenant, user and role are called.
    pub(crate) columns: Vec<Column>,
}

/// The accounts of one tenant.
#[derive(Clone, Debug)]
pub(crate) struct TenantAccounts {
    pub(crate) name: String,
    pub(crate) users: Vec<Account>,
}

/// One account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) role: Option<String>,
    /// One for each of [`Accounts::columns`].
    pub(crate) values: Vec<Hidden>,
}

/// A column, as `user.NAME` in holes.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// Whether its values must stand in no plan and no output.
    pub(crate) is_secret: bool,
}

/// A value that no Debug shows.
#[derive(Clone)]
pub(crate) struct Hidden(String);

impl Hidden {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// Column names, and the rows below them, with their line or number.
struct Table {
    columns: Vec<String>,
    rows: Vec<(u64, Vec<String>)>,
    /// What a row's number is called.
    row: &'static str,
}

impl Accounts {
    /// Reads a table: JSON where the file's name ends so, CSV otherwise. The error says in words what is wrong, without values of
    /// secrets.
    pub(crate) fn read(text: &str, file_name: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}');
        let is_json = file_name.rsplit('.').next().is_some_and(|end| end.eq_ignore_ascii_case("json"));
        let table = if is_json { from_json(text)? } else { from_csv(text)? };
        Self::of(&table)
    }

    fn of(table: &Table) -> Result<Self, String> {
        check_columns(&table.columns)?;
        let place = |name: &str| table.columns.iter().position(|column| column == name);
        let (tenant, user, role) = (place("tenant"), place("user"), place("role"));
        let own = |name: &&String| !OWN_COLUMNS.contains(&name.as_str());
        let others: Vec<usize> = table.columns.iter().filter(own).filter_map(|name| place(name)).collect();
        let mut accounts = Self { tenants: vec![], columns: vec![] };
        accounts.columns.extend(others.iter().map(|at| Column { name: table.columns[*at].clone(), is_secret: true }));
        let (mut places, mut known) = (BTreeMap::new(), BTreeSet::new());
        for (number, row) in &table.rows {
            let at = |column: Option<usize>| column.map_or("", |column| row[column].trim()).to_owned();
            let (tenant, name, role) = (at(tenant), at(user), at(role));
            if tenant.is_empty() || name.is_empty() {
                let what = if tenant.is_empty() { "tenant" } else { "user" };
                return Err(format!("{} {number} names no {what}", table.row));
            }
            if !known.insert((tenant.clone(), name.clone())) {
                return Err(format!("{} {number} has the user `{name}` of `{tenant}` once more", table.row));
            }
            let values = others.iter().map(|column| Hidden(row[*column].clone())).collect();
            let account = Account { name, role: Some(role).filter(|role| !role.is_empty()), values };
            accounts.add(tenant, account, &mut places);
        }
        match accounts.tenants.len() {
            0 => Err("it has no accounts".to_owned()),
            count if count > TENANTS_MAX as usize => Err(format!("it has more than {TENANTS_MAX} tenants")),
            _ => Ok(accounts),
        }
    }

    fn add(&mut self, tenant: String, account: Account, places: &mut BTreeMap<String, usize>) {
        let next = self.tenants.len();
        let place = *places.entry(tenant.clone()).or_insert(next);
        if place == next {
            self.tenants.push(TenantAccounts { name: tenant, users: vec![] });
        }
        self.tenants[place].users.push(account);
    }

    /// Each role that somebody has, once; none for those without.
    pub(crate) fn roles(&self) -> Vec<Option<String>> {
        let all: BTreeSet<_> = self.tenants.iter().flat_map(|tenant| &tenant.users).map(|user| &user.role).collect();
        all.into_iter().cloned().collect()
    }

    /// Users of the largest tenant.
    pub(crate) fn users_max(&self) -> usize {
        self.tenants.iter().map(|tenant| tenant.users.len()).max().unwrap_or_default()
    }

    /// How many users the first tenants have.
    pub(crate) fn users_of(&self, tenants: u32) -> u64 {
        self.tenants.iter().take(tenants as usize).map(|tenant| tenant.users.len() as u64).sum()
    }

    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

fn check_columns(columns: &[String]) -> Result<(), String> {
    for needed in ["tenant", "user"] {
        if !columns.iter().any(|column| column == needed) {
            return Err(format!("it has no column `{needed}`"));
        }
    }
    if columns.len() > COLUMNS_MAX {
        return Err(format!("it has more than {COLUMNS_MAX} columns"));
    }
    for (at, column) in columns.iter().enumerate() {
        let letters = column.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if column.is_empty() || !letters {
            return Err(format!("`{column}` is not a name for a column: take letters, digits, `-` and `_`"));
        }
        if TAKEN.contains(&column.as_str()) {
            return Err(format!("its column `{column}` needs another name: `user.{column}` means something else"));
        }
        if columns[..at].contains(column) {
            return Err(format!("it has the column `{column}` twice"));
        }
    }
    Ok(())
}

fn from_csv(text: &str) -> Result<Table, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| csv_fault(&error))?;
    let columns = header.iter().map(str::to_owned).collect();
    let mut rows = vec![];
    for record in reader.records() {
        let record = record.map_err(|error| csv_fault(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        rows.push((line, record.iter().map(str::to_owned).collect()));
        at_most(rows.len())?;
    }
    Ok(Table { columns, rows, row: "line" })
}

/// In words, without what stands in the line.
fn csv_fault(error: &csv::Error) -> String {
    let line = error.position().map_or(0, csv::Position::line);
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line} has {len} values, and there are {expected_len} columns")
        }
        _ => format!("line {line} is not CSV"),
    }
}

fn from_json(text: &str) -> Result<Table, String> {
    use serde_json::{Map, Value};
    let rows: Vec<Map<String, Value>> = serde_json::from_str(text)
        .map_err(|error| format!("it is not a list of objects in JSON (line {})", error.line()))?;
    at_most(rows.len())?;
    let mut columns: Vec<String> = vec![];
    for key in rows.iter().flat_map(Map::keys) {
        if columns.len() <= COLUMNS_MAX && !columns.contains(key) {
            columns.push(key.clone());
        }
    }
    let mut table = Table { columns, rows: vec![], row: "account" };
    for (number, row) in (1..).zip(&rows) {
        let cell = |column: &String| match row.get(column) {
            None | Some(Value::Null) => Ok(String::new()),
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            Some(_) => Err(format!("account {number} has a list or a map as `{column}`")),
        };
        table.rows.push((number, table.columns.iter().map(cell).collect::<Result<_, _>>()?));
    }
    Ok(table)
}

fn at_most(rows: usize) -> Result<(), String> {
    if rows > ROWS_MAX { Err(format!("it has more than {ROWS_MAX} accounts")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(accounts: &Accounts) -> Vec<String> {
        let users = |tenant: &TenantAccounts| {
            let user = |user: &Account| {
                let values: Vec<&str> = user.values.iter().map(Hidden::expose).collect();
                format!("{}/{} {:?} {values:?}", tenant.name, user.name, user.role)
            };
            tenant.users.iter().map(user).collect::<Vec<_>>()
        };
        accounts.tenants.iter().flat_map(users).collect()
    }

    #[test]
    fn both_formats_give_the_same_accounts_in_the_order_of_their_tenants() {
        let csv = "tenant,user,role,key\r\nb,ann,LEADER,k1\na,bob,,\"k,2\"\nb,cid,MEMBER,3\n";
        let json = r#"[{"tenant": "b", "user": "ann", "role": "LEADER", "key": "k1"},
            {"tenant": "a", "user": "bob", "role": null, "key": "k,2"},
            {"key": 3, "role": "MEMBER", "user": "cid", "tenant": "b"}]"#;
        let csv = Accounts::read(csv, "a.csv").unwrap();
        assert_eq!(
            shown(&csv),
            [r#"b/ann Some("LEADER") ["k1"]"#, r#"b/cid Some("MEMBER") ["3"]"#, r#"a/bob None ["k,2"]"#]
        );
        assert_eq!(shown(&csv), shown(&Accounts::read(json, "A.JSON").unwrap()));
    }

    #[test]
    fn values_do_not_show_in_debug() {
        let accounts = Accounts::read("tenant,user,key\na,b,hush", "a.csv").unwrap();
        assert!(!format!("{accounts:?}").contains("hush"));
    }

    #[test]
    fn a_bad_table_is_told_without_its_values() {
        for (text, words) in [
            ("", "it has no column `tenant`"),
            ("tenant,key\n", "it has no column `user`"),
            ("tenant,user\n", "it has no accounts"),
            ("tenant,user\nhush,\n", "line 2 names no user"),
            ("tenant,user,key\na,b,hush\na,b,x\n", "line 3 has the user `b` of `a` once more"),
            ("tenant,user,key\na,b\n", "line 2 has 2 values, and there are 3 columns"),
            ("tenant,user,index\n", "its column `index` needs another name: `user.index` means something else"),
            ("tenant,user,user\n", "it has the column `user` twice"),
            ("tenant,user,a b\n", "`a b` is not a name for a column: take letters, digits, `-` and `_`"),
        ] {
            assert_eq!(Accounts::read(text, "a.csv").err().as_deref(), Some(words), "{text}");
        }
        for (text, words) in [
            ("{}", "it is not a list of objects in JSON (line 1)"),
            (r#"[{"tenant": "a", "user": ["b"]}]"#, "account 1 has a list or a map as `user`"),
        ] {
            assert_eq!(Accounts::read(text, "a.json").err().as_deref(), Some(words), "{text}");
        }
    }
}
