//! Which characters from the network may reach a terminal or a page as they are.

/// Whether a character shows as what it is: no control character (C0, DEL, C1), nothing that takes no place,
/// and nothing that turns the direction of writing.
pub fn is_printable(character: char) -> bool {
    let moves_or_hides = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    !moves_or_hides && !character.is_control()
}
