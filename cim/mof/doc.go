// Package mof reads and writes the Managed Object Format as WMI speaks it:
// the text of classes and instances, with pragmas, aliases and qualifiers.
//
// [Parse] checks a text and gives a [File]; [Compile] applies a File to a
// [Target], one object after the other; [Definitions] makes the classes that
// are built into a program. [AppendClass] and [AppendInstance] write, and
// [Split] takes a text apart into a neutral and a localized one.
//
// The package does no I/O of its own: what #include names is read from the
// fs.FS that the caller gives.
//
// The language is that of spec/wmi.md 2.7-2.9, the WMI documentation and
// DSP0004 2.2, where WMI follows it.
package mof
