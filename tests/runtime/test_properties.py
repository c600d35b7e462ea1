"""Java reads from a properties file what Python has written, whatever it holds."""

import subprocess

import pytest

from millrace.local import java
from millrace.runtime.properties import format_properties

VALUES = {
    "plain": "127.0.0.1:9092",
    "blanks": "  two before, one after ",
    "letters": "José \u0416 \u65e5\u672c \U0001f600",
    "special": "a=b:c#d!e\\f\\u0041",
    "lines": "one\ntwo\r\tthree\f",
    "percent": "100% 'of' \"it\"",
    "key with = and : and \u00e9": "value",
    "empty": "",
}
PROGRAM = """
import java.io.*; import java.util.*;
public class Show { public static void main(String[] names) throws Exception {
  Properties read = new Properties();
  try (InputStream file = new FileInputStream(names[0])) { read.load(file); }
  try (Writer out = new OutputStreamWriter(System.out, "UTF-8")) {
    for (String name : new TreeSet<String>(read.stringPropertyNames()))
      out.write(name + "\\0" + read.getProperty(name) + "\\0");
  }
} }
"""


def test_file_is_ascii_with_one_line_per_value():
    text = format_properties(VALUES)
    assert text.isascii()
    assert text.count("\n") == len(VALUES)


def test_java_reads_back_written_values(engines, tmp_path):
    program, file = tmp_path / "Show.java", tmp_path / "of.properties"
    program.write_text(PROGRAM)
    file.write_text(format_properties(VALUES))
    done = subprocess.run([java.find_java(), program, file], capture_output=True, check=False)
    if b"compiler" in done.stderr:
        pytest.skip("this Java is a JRE, which compiles nothing")
    parts = done.stdout.decode().split("\0")[:-1]
    assert dict(zip(parts[::2], parts[1::2], strict=True)) == VALUES
