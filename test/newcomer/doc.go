// Package newcomer holds tests of what a person does first: clone, `make run`, paste; and of `casement up` and
// `casement serve` as whole processes, as root and as an ordinary user.
package newcomer
