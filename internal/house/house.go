// Package house looks after the tree itself: its tests keep the import rules, the table of demands, the package comments and the
// words of the documentation; testrun is what `make check` and `make test` run.
package house
