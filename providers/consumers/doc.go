// Package consumers has the standard event consumers of WMI: what happens when
// an event meets a permanent subscription. They run a program, append to a
// file, write to the log of the system or send a mail, each as the creator of
// the consumer. See spec/wmi.md 5.4 and 5.5.
package consumers
