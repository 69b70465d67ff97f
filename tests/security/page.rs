//! The threat model says what the code does: its table of limits has the values that are in the source.

#[test]
fn the_limits_are_those_of_the_source() {
    let page = std::fs::read_to_string(".github/SECURITY.md").unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|') && line.contains(".rs`"));
    let mut count = 0;
    for row in rows {
        let code: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let [value, name, file] = code[..] else { panic!("{row}: value, constant, file") };
        let source = std::fs::read_to_string(file).unwrap();
        let mut lines = source.lines().map(str::trim);
        let found =
            lines.find(|line| line.contains(&format!("const {name}: "))).unwrap_or_else(|| panic!("{row}"));
        assert_eq!(found.split_once(" = ").unwrap().1, format!("{value};"), "{row}");
        count += 1;
    }
    assert!(count > 15, "{count} rows");
}
