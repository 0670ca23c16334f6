import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;

/** Writes record batches with Apache Kafka's own classes and prints them as JSON, one object a line. */
public class Golden {
  record Rec(byte[] key, byte[] value, Header[] headers) {}

  static byte[] utf8(String text) { return text.getBytes(StandardCharsets.UTF_8); }
  static Rec rec(String key, String value, Header... headers) {
    return new Rec(key == null ? null : utf8(key), value == null ? null : utf8(value), headers);
  }
  static String hex(byte[] bytes) { return bytes == null ? "null" : '"' + HexFormat.of().formatHex(bytes) + '"'; }

  static void print(String name, long baseOffset, long lastOffset, long at, boolean ours, List<Rec> records, ByteBuffer bytes) {
    StringBuilder json = new StringBuilder();
    byte[] raw = new byte[bytes.remaining()];
    bytes.duplicate().get(raw);
    json.append("{\"name\":\"").append(name).append("\",\"baseOffset\":").append(baseOffset)
        .append(",\"lastOffset\":").append(lastOffset).append(",\"appendedAtMs\":").append(at).append(",\"encodable\":").append(ours).append(",\"records\":[");
    for (int i = 0; i < records.size(); i++) {
      Rec record = records.get(i);
      json.append(i > 0 ? "," : "").append("{\"key\":").append(hex(record.key)).append(",\"value\":").append(hex(record.value)).append(",\"headers\":[");
      for (int h = 0; h < record.headers.length; h++)
        json.append(h > 0 ? "," : "").append("{\"name\":\"").append(record.headers[h].key()).append("\",\"value\":").append(hex(record.headers[h].value())).append("}");
      json.append("]}");
    }
    System.out.println(json.append("],\"bytes\":").append(hex(raw)).append("}"));
  }

  static void batch(String name, Compression compression, TimestampType type, long baseOffset, long at, List<Rec> records) {
    MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 16), RecordBatch.MAGIC_VALUE_V2, compression, type, baseOffset, at);
    for (int i = 0; i < records.size(); i++) {
      // With create time every record has its own, 7 ms apart; the batch's is the last one's.
      long timestamp = type == TimestampType.LOG_APPEND_TIME ? at : at - 7L * (records.size() - 1 - i);
      Rec record = records.get(i);
      builder.append(timestamp, record.key, record.value, record.headers);
    }
    boolean ours = compression.type() == CompressionType.NONE && type == TimestampType.LOG_APPEND_TIME
        && records.stream().allMatch(r -> r.key != null && r.value != null);
    print(name, baseOffset, baseOffset + records.size() - 1, at, ours, records, builder.build().buffer());
  }

  public static void main(String[] args) {
    TimestampType append = TimestampType.LOG_APPEND_TIME;
    long at = 1782604800125L;
    List<Rec> plain = List.of(rec("router_demo", "{\"latency_ms\":41}"), rec("router_demo", "{\"latency_ms\":97}"));
    List<Rec> headers = List.of(
        rec("a", "1", new RecordHeader("obs-cause", utf8("81.2.0")), new RecordHeader("obs-input", new byte[0])),
        rec("b", "2"), rec("c", "3", new RecordHeader("名前", utf8("値"))));
    List<Rec> many = new ArrayList<>();
    for (int i = 0; i < 150; i++) many.add(rec("source-" + i % 7, "value " + i + " " + "x".repeat(i % 30)));
    batch("one record", Compression.NONE, append, 0, at, List.of(rec("k", "v")));
    batch("two records", Compression.NONE, append, 81, at, plain);
    batch("headers", Compression.NONE, append, 5_000_000_000L, at, headers);
    batch("empty key and empty value", Compression.NONE, append, 7, at, List.of(rec("", "tick"), rec("k", "")));
    batch("unicode", Compression.NONE, append, 7, at, List.of(rec("ルーター/2026-06-27T23:00:00Z/r0", "𝒙 Ärger 日本")));
    batch("150 records", Compression.NONE, append, 1_000, at, many);
    batch("a value of 3,000 bytes", Compression.NONE, append, 1, at, List.of(rec("big", "y".repeat(3_000))));
    batch("gzip", Compression.gzip().build(), append, 1_000, at, many);
    batch("zstd", Compression.zstd().build(), append, 1_000, at, many);
    batch("gzip with headers", Compression.gzip().build(), append, 3, at, headers);
    batch("zstd with headers", Compression.zstd().build(), append, 3, at, headers);
    batch("create time", Compression.NONE, TimestampType.CREATE_TIME, 12, at, plain);
    batch("null key", Compression.NONE, append, 12, at, List.of(rec(null, "v")));
    batch("null value", Compression.NONE, append, 12, at, List.of(rec("k", null)));

    ByteBuffer empty = ByteBuffer.allocate(100);
    DefaultRecordBatch.writeEmptyHeader(empty, (byte) 2, -1, (short) -1, -1, 40, 49, 3, append, at, false, false);
    empty.flip();
    print("emptied by compaction, last offset 49", 40, 49, at, false, List.of(), empty);
    ByteBuffer control = MemoryRecords.withEndTransactionMarker(60, at, 3, 9L, (short) 0, new EndTransactionMarker(ControlRecordType.COMMIT, 0)).buffer();
    print("control batch", 60, 60, at, false, List.of(), control);
    MemoryRecordsBuilder holes = MemoryRecords.builder(ByteBuffer.allocate(1 << 12), RecordBatch.MAGIC_VALUE_V2, Compression.NONE, append, 20, at);
    List<Rec> left = List.of(rec("3", "c"), rec("1", "a"));
    holes.appendWithOffset(22, at, left.get(0).key, left.get(0).value);
    holes.appendWithOffset(25, at, left.get(1).key, left.get(1).value);
    holes.overrideLastOffset(29);
    print("compacted: records 22 and 25 of 20 to 29", 20, 29, at, false, left, holes.build().buffer());
  }
}
