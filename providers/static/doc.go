// Package static serves classes and instances that are given in memory: by Go
// code, or by JSON files ([Load]). Instances can be made, changed and removed,
// and methods are Go functions. It is what fixtures, benchmarks and simulated
// hosts are made of.
//
// A JSON file has the form
//
//	{"namespace": "root\\cimv2",
//	 "classes": [{"name": "X", "superclass": "", "abstract": false, "singleton": false, "association": false,
//	   "properties": [{"name": "ID", "type": "string", "key": true, "write": false, "class": "", "default": null,
//	     "qualifiers": {"Units": "Bytes"}}],
//	   "methods": [{"name": "Run", "type": "uint32", "static": true,
//	     "parameters": [{"name": "Text", "type": "string", "out": false, "in": true}]}]}],
//	 "instances": [{"class": "X", "properties": {"ID": "a"}}]}
//
// Types are those of MOF: "uint32", "string[]", "datetime", "ref", "object".
// An embedded object is written as an instance.
package static
