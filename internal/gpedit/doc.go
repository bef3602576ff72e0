// Package gpedit knows the policies of Group Policy that this machine obeys: where they
// stand in the tree of the editor, what each state writes into Registry.pol, and what it
// does. It is the editor without its command line.
package gpedit
