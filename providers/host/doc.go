// Package host fills the Win32_* classes of root\cimv2 with the facts of this machine.
//
// The class definitions are MOF in the folder schema: names, CIM types, keys and units are those of the
// documented Windows classes, and the superclasses down to CIM_ManagedSystemElement are there, so that an
// enumeration of CIM_Process or CIM_LogicalElement finds the classes derived from it. Each class names the source of
// its values in its MappingStrings qualifier.
//
// What is not known is NULL, never zero or "Unknown". Names and captions describe this machine as it is: no drive
// letters, no Windows. See spec/wmi.md 8.
package host
