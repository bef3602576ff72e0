// Package host fills the Win32_* classes of root\cimv2 with the facts of this machine.
//
// The class definitions are MOF in the folder schema: names, CIM types, keys and units are those of the
// documented Windows classes, and the superclasses down to CIM_ManagedSystemElement are there, so that an
// enumeration of CIM_Process or CIM_LogicalElement finds the classes derived from it. Each class names the source of
// its values in its MappingStrings qualifier.
//
// The performance classes come in pairs. A raw class has counters as the kernel keeps them; the formatted one is made of
// two samples of it, at least a second apart, by the formulas that the qualifiers of its properties name. Who polls does
// not wait: the last sample is the beginning of the next measurement; classes that are listed together measure at the
// same time.
//
// What is not known is NULL, never zero or "Unknown". Names and captions describe this machine as it is: no drive
// letters, no Windows. See spec/wmi.md 8.
package host
