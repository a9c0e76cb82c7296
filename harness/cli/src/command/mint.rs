//! `coalmine mint`: print canaries, to plant them by hand.

use coalmine_canary::{Minter, Owner, Serial};

use crate::args::MintArgs;
use crate::exit::{Exit, Failed};
use crate::output::print_line_while_read;

/// Prints one canary a line. The only command that shows any.
pub(crate) fn run(args: &MintArgs) -> Result<Exit, Failed> {
    let minter = Minter::new(&args.seed.run_key());
    for number in 0..args.count {
        let serial = args.serial.checked_add(number).ok_or_else(|| Failed::usage("serials end at 4294967295"))?;
        let canary = minter.mint(Owner(args.owner), Serial(serial), args.shape).map_err(Failed::usage)?;
        if print_line_while_read(canary.expose()).is_break() {
            break;
        }
    }
    Ok(Exit::Pass)
}
