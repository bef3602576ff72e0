// Package lists reads and writes the formats in which people keep lists of
// servers. A list is taken whole or not at all: what is wrong with it is said with
// its line and column. Passwords are in no list that is read or written here. See
// spec/console.md 2.3, spec/winrm.md 9.
package lists
