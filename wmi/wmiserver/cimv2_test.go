package wmiserver

// cimv2JSON are classes of root\cimv2, as far as the cases of the specification need them.
const cimv2JSON = `{
 "namespace": "root\\cimv2",
 "classes": [
  {"name": "Win32_OperatingSystem", "properties": [
   {"name": "Name", "type": "string", "key": true}, {"name": "Caption", "type": "string"}]},
  {"name": "CIM_Thing", "abstract": true, "properties": [{"name": "DeviceID", "type": "string", "key": true}]},
  {"name": "Win32_LogicalDisk", "superclass": "CIM_Thing", "properties": [
   {"name": "Availability", "type": "uint16"}, {"name": "PNPDeviceID", "type": "string"}, {"name": "Size", "type": "uint64"}]},
  {"name": "Win32_Special", "superclass": "Win32_LogicalDisk", "properties": []},
  {"name": "Win32_PerfRawData_Test", "qualifiers": {"HiPerf": true}, "properties": [
   {"name": "Name", "type": "string", "key": true}, {"name": "Count", "type": "uint32", "write": true}]}
 ],
 "instances": [
  {"class": "Win32_OperatingSystem", "properties": {"Name": "os", "Caption": "Test"}},
  {"class": "Win32_LogicalDisk", "properties": {"DeviceID": "A:", "PNPDeviceID": "PCI\\1"}},
  {"class": "Win32_LogicalDisk", "properties": {"DeviceID": "B:"}},
  {"class": "Win32_LogicalDisk", "properties": {"DeviceID": "C:", "Availability": 3}},
  {"class": "Win32_LogicalDisk", "properties": {"DeviceID": "D:"}},
  {"class": "Win32_Special", "properties": {"DeviceID": "S:"}},
  {"class": "Win32_PerfRawData_Test", "properties": {"Name": "one", "Count": 1}},
  {"class": "Win32_PerfRawData_Test", "properties": {"Name": "two", "Count": 2}}
 ]
}`
