// Package fileowner leaves what a tool that runs as root makes in the folders of a
// service to the service's user. A process that is not root can only make files
// of its own.
package fileowner
