//! Names of deploys: the sender's time, and some random bits.

use std::fmt;
use std::str::FromStr;

/// One deploy, the same on all hosts. As text it is `20260311T142233Z-5f3a9c01`: sorted by bytes it
/// is sorted by the sender's time. Only the history knows the order of deploys on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeployId {
    secs: u64,
    nonce: u32,
}

/// The last second of the year 9999, UTC: the limit of four digits.
const LAST: u64 = 253_402_300_799;

const SECS_PER_DAY: u64 = 86_400;

impl DeployId {
    /// An id from the sender's clock (seconds since 1970, UTC; kept within 1970 to 9999) and 32
    /// random bits.
    pub(crate) fn new(secs: i64, nonce: u32) -> DeployId {
        DeployId { secs: u64::try_from(secs).unwrap_or(0).min(LAST), nonce }
    }

    /// The sender's clock when the deploy began: seconds since 1970, UTC.
    pub(crate) fn secs(&self) -> i64 {
        // At most LAST, see `new`.
        self.secs as i64
    }

    /// The random bits.
    pub(crate) fn nonce(&self) -> u32 {
        self.nonce
    }
}

impl fmt::Display for DeployId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.secs / SECS_PER_DAY);
        let second = self.secs % SECS_PER_DAY;
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{:02}Z", second % 60)?;
        write!(f, "-{:08x}", self.nonce)
    }
}

impl FromStr for DeployId {
    type Err = ();

    fn from_str(text: &str) -> Result<DeployId, ()> {
        let bytes = text.as_bytes();
        if bytes.len() != 25 || bytes[8] != b'T' || bytes[15] != b'Z' || bytes[16] != b'-' {
            return Err(());
        }
        let part = |from, to| digits(text.get(from..to).ok_or(())?);
        let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
        let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
        if year < 1970 || !(1..=12).contains(&month) || day == 0 {
            return Err(());
        }
        let secs = day_number(year, month, day) * SECS_PER_DAY + hour * 3600 + minute * 60 + second;
        let nonce = u32::from_str_radix(text.get(17..).ok_or(())?, 16).map_err(drop)?;
        let id = DeployId { secs, nonce };
        // The 31st of February, the 25th hour, upper-case digits: what would be written in another
        // way.
        if id.to_string() == text { Ok(id) } else { Err(()) }
    }
}

fn digits(text: &str) -> Result<u64, ()> {
    text.parse().map_err(drop)
}

/// Year, month and day of a day since 1970, in the Gregorian calendar: years are counted from
/// March, so that the leap day is their last, in eras of 400 years.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
    (era * 400 + year + u64::from(month <= 2), month, day_of_month)
}

/// The day since 1970 of a date from 1970 on: the inverse of [`date`].
fn day_number(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_times() {
        let table = [
            (0, "19700101T000000Z-00000000"),
            (951_827_696, "20000229T123456Z-00000000"),
            (1_773_238_953, "20260311T142233Z-00000000"),
            (4_107_542_399, "21000228T235959Z-00000000"),
            (i64::MAX, "99991231T235959Z-00000000"),
            (-5, "19700101T000000Z-00000000"),
        ];
        for (secs, text) in table {
            assert_eq!(DeployId::new(secs, 0).to_string(), text);
        }
    }

    #[test]
    fn invalid_ids() {
        let bad = [
            "",
            "20260311T142233Z",
            "20260231T000000Z-00000000",
            "20260311T250000Z-00000000",
            "19691231T235959Z-00000000",
            "20260311T142233Z-5F3A9C01",
            "20260311T142233Z-+5f3a9c0",
            "+0260311T142233Z-5f3a9c01",
            "2026é11T142233Z-5f3a9c01",
        ];
        for text in bad {
            assert_eq!(text.parse::<DeployId>(), Err(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_keeps_order_and_value(a in 0_i64..=253_402_300_799, b: u32, c in 0_i64..=253_402_300_799) {
            let (one, two) = (DeployId::new(a, b), DeployId::new(c, b));
            prop_assert_eq!(one.to_string().parse(), Ok(one));
            prop_assert_eq!(one.cmp(&two), one.to_string().cmp(&two.to_string()));
        }
    }
}
