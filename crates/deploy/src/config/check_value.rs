//! Whether a value from elsewhere would be taken in a file of ours.

use super::file::is_address;
use super::schema::{Key, Lookup, find};

/// Whether the setting `key`, or an item of it, can be `text`; if not, why. The key `hosts` checks
/// the address of a host.
pub(crate) fn value_is_fine(key: &str, text: &str) -> Result<(), String> {
    if key == "hosts" {
        return is_address(text).map_err(|problem| format!("{problem}: {text}"));
    }
    let set = key.strip_prefix("assets.").and_then(|rest| rest.split_once('.'));
    let setting = match (find(key), set) {
        (Lookup::Setting(setting), _) => setting,
        (_, Some((set, _))) => match Key::parse(key, &[set.to_owned()]) {
            Some(key) => key.setting,
            None => return Err(format!("'{key}' is not a setting")),
        },
        _ => return Err(format!("'{key}' is not a setting")),
    };
    let checked = setting.kind.check_word(key, text);
    checked.map(drop).map_err(|problem| format!("{problem}: {text}"))
}
