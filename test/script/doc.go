// Package script drives the real command by scripts: each *.txtar file here is
// a test. The commands casement, winrm and winrs are this module's; beside
// those of testscript there are up, down and code (see script_test.go).
package script
