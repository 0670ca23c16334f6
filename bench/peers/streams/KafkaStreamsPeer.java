import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.*;

/**
 * The peer that obstream's rollup is measured against: exact hourly p50 and p95 per source in Kafka Streams, each sample
 * id counted once.
 *
 * <pre>java -Xmx2g -cp 'libs/*:.' KafkaStreamsPeer MODE TOPIC RECORDS THREADS BOOTSTRAP RESULT</pre>
 *
 * MODE is {@code papi} (tuned Processor API: counting arrays and bit sets on the heap, one output per closed window, no
 * changelog), {@code dsl} (windowed aggregate, in-memory store, 256 MiB cache, no changelog) or {@code dsl-default}
 * (RocksDB and changelog as Kafka Streams sets them up). Prints one JSON line: seconds and CPU-seconds from the first
 * record to the last, peak memory. Closed windows go to the topic peer-windows; with {@code papi} all windows are written
 * to RESULT after the last record, as {@code source,hour,count,errors,p50,p95,max}.
 *
 * It knows two things that rollup may not: a source has one sample a second at most, and latencies lie below 4096 ms.
 */
public final class KafkaStreamsPeer {
  static final long HOUR_MS = 3_600_000L;
  static final long GRACE_MS = 600_000L;
  static final int LATENCIES = 4096;
  static final int TIMEOUT = 1, ERROR = 2;

  /** Reads the fields of a sample as obstream writes it: five bytes of the wire format, then Avro. */
  static final class Sample {
    boolean isTick;
    int outcome;
    long at;
    /** -1: none. */
    int latencyMs;
    private byte[] bytes;
    private int next;

    void read(byte[] value) {
      bytes = value;
      next = 5;
      isTick = varint() == 1;
      if (isTick) { at = varint(); return; }
      outcome = (int) varint();
      at = varint();
      varint();
      latencyMs = varint() == 0 ? -1 : (int) varint();
    }

    private long varint() {
      long raw = 0;
      int shift = 0;
      byte b;
      do { b = bytes[next++]; raw |= (long) (b & 0x7f) << shift; shift += 7; } while (b < 0);
      return (raw >>> 1) ^ -(raw & 1);
    }
  }

  /** Event time, as both of the topologies need it. */
  public static final class SampleTime implements TimestampExtractor {
    private final Sample sample = new Sample();

    public synchronized long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
      sample.read((byte[]) record.value());
      return sample.at;
    }
  }

  /** One hour of one source. */
  static final class Hour {
    final int[] counts = new int[LATENCIES];
    final long[] seen = new long[57];
    int errors, max = -1;

    void add(Sample sample) {
      int second = (int) (sample.at % HOUR_MS / 1000);
      long bit = 1L << second;
      if ((seen[second >> 6] & bit) != 0) return;
      seen[second >> 6] |= bit;
      if (sample.outcome == TIMEOUT || sample.outcome == ERROR) errors++;
      if (sample.latencyMs < 0) return;
      counts[Math.min(sample.latencyMs, LATENCIES - 1)]++;
      if (sample.latencyMs > max) max = sample.latencyMs;
    }

    /** {@code count,errors,p50,p95,max} */
    String line() {
      long total = 0, cumulative = 0;
      for (int c : counts) total += c;
      long rank50 = (50 * total + 99) / 100, rank95 = (95 * total + 99) / 100;
      int p50 = -1, p95 = -1;
      for (int i = 0; i < LATENCIES && p95 < 0 && total > 0; i++) {
        cumulative += counts[i];
        if (p50 < 0 && cumulative >= rank50) p50 = i;
        if (cumulative >= rank95) p95 = i;
      }
      return total + "," + errors + "," + text(p50) + "," + text(p95) + "," + text(max);
    }

    private static String text(int value) { return value < 0 ? "" : Integer.toString(value); }
  }

  static final class HourSerde implements Serde<Hour>, Serializer<Hour>, Deserializer<Hour> {
    public Serializer<Hour> serializer() { return this; }
    public Deserializer<Hour> deserializer() { return this; }
    public byte[] serialize(String topic, Hour h) {
      if (h == null) return null;
      int size = 0;
      for (int c : h.counts) if (c > 0) size++;
      ByteBuffer b = ByteBuffer.allocate(12 + 8 * h.seen.length + 8 * size).putInt(h.errors).putInt(h.max).putInt(size);
      for (long s : h.seen) b.putLong(s);
      for (int i = 0; i < LATENCIES; i++) if (h.counts[i] > 0) b.putInt(i).putInt(h.counts[i]);
      return b.array();
    }
    public Hour deserialize(String topic, byte[] data) {
      if (data == null) return null;
      ByteBuffer b = ByteBuffer.wrap(data);
      Hour h = new Hour();
      h.errors = b.getInt();
      h.max = b.getInt();
      int size = b.getInt();
      for (int i = 0; i < h.seen.length; i++) h.seen[i] = b.getLong();
      for (int i = 0; i < size; i++) h.counts[b.getInt()] = b.getInt();
      return h;
    }
    public void configure(Map<String, ?> configs, boolean isKey) {}
    public void close() {}
  }

  static volatile long startNanos, startCpu;
  static final AtomicLong seen = new AtomicLong();
  static final Map<String, String> closed = new ConcurrentHashMap<>();
  static final Map<HourlyPercentiles, Boolean> processors = new ConcurrentHashMap<>();
  static String result;

  static void count(long wanted, String mode) {
    if (startNanos == 0) { startNanos = System.nanoTime(); startCpu = cpuNanos(); }
    if (seen.incrementAndGet() != wanted) return;
    double seconds = (System.nanoTime() - startNanos) / 1e9, cpu = (cpuNanos() - startCpu) / 1e9;
    System.out.printf("{\"seconds\":%.3f,\"cpuSeconds\":%.3f,\"peakRssMiB\":%d}%n", seconds, cpu, peakRssMiB());
    System.out.flush();
    if (mode.equals("papi")) writeResult();
    Runtime.getRuntime().halt(0);
  }

  /** Every other thread has read its last record before the last one is counted. */
  static void writeResult() {
    processors.keySet().forEach(processor -> processor.open.forEach((source, hours) ->
        hours.forEach((hour, counts) -> closed.put(source + "," + hour, counts.line()))));
    try (PrintWriter out = new PrintWriter(result, "UTF-8")) {
      closed.forEach((name, line) -> out.print(name + "," + line + "\n"));
    } catch (Exception error) {
      throw new RuntimeException(error);
    }
  }

  static long cpuNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  static long peakRssMiB() {
    try {
      for (String line : Files.readAllLines(Path.of("/proc/self/status")))
        if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
    } catch (Exception error) {
      throw new RuntimeException(error);
    }
    return -1;
  }

  static final class HourlyPercentiles implements Processor<String, byte[], String, String> {
    final long wanted;
    final String mode;
    final HashMap<String, HashMap<Long, Hour>> open = new HashMap<>();
    final Sample sample = new Sample();
    ProcessorContext<String, String> context;
    String lastSource;
    long lastHour = -1;
    Hour last;

    HourlyPercentiles(long wanted, String mode) {
      this.wanted = wanted;
      this.mode = mode;
      processors.put(this, true);
    }

    public void init(ProcessorContext<String, String> c) {
      context = c;
      c.schedule(Duration.ofMinutes(30), PunctuationType.STREAM_TIME, this::close);
    }

    void close(long streamTime) {
      open.forEach((source, hours) -> hours.entrySet().removeIf(entry -> {
        if ((entry.getKey() + 1) * HOUR_MS + GRACE_MS > streamTime) return false;
        String name = source + "," + entry.getKey(), line = entry.getValue().line();
        closed.put(name, line);
        context.forward(new Record<>(name, line, entry.getKey() * HOUR_MS));
        return true;
      }));
      last = null;
    }

    public void process(Record<String, byte[]> record) {
      sample.read(record.value());
      if (!sample.isTick) {
        long hour = sample.at / HOUR_MS;
        if (last == null || hour != lastHour || !record.key().equals(lastSource)) {
          last = open.computeIfAbsent(record.key(), k -> new HashMap<>()).computeIfAbsent(hour, k -> new Hour());
          lastHour = hour;
          lastSource = record.key();
        }
        last.add(sample);
      }
      count(wanted, mode);
    }
  }

  public static void main(String[] args) throws Exception {
    String mode = args[0], topic = args[1];
    long wanted = Long.parseLong(args[2]);
    result = args[5];
    Properties config = new Properties();
    config.put("application.id", "peer-" + mode + "-" + System.nanoTime());
    config.put("bootstrap.servers", args[4]);
    config.put("auto.offset.reset", "earliest");
    config.put("num.stream.threads", args[3]);
    config.put("state.dir", Files.createTempDirectory("streams-peer").toString());
    config.put("replication.factor", 1);
    config.put("default.timestamp.extractor", SampleTime.class.getName());
    if (!mode.equals("dsl-default")) {
      config.put("statestore.cache.max.bytes", 256L << 20);
      config.put("commit.interval.ms", 30_000);
      config.put("fetch.max.bytes", 64 << 20);
      config.put("fetch.min.bytes", 65_536);
      config.put("max.poll.records", 20_000);
      config.put("buffered.records.per.partition", 20_000);
      config.put("receive.buffer.bytes", 1 << 20);
    }
    KafkaStreams streams = new KafkaStreams(mode.equals("papi") ? processorTopology(mode, topic, wanted) : dslTopology(mode, topic, wanted), config);
    streams.setUncaughtExceptionHandler(error -> {
      error.printStackTrace();
      Runtime.getRuntime().halt(1);
      return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
    });
    streams.start();
    Thread.sleep(900_000);
    System.exit(1);
  }

  static Topology processorTopology(String mode, String topic, long wanted) {
    return new Topology()
        .addSource("samples", new StringDeserializer(), new ByteArrayDeserializer(), topic)
        .addProcessor("hourly", () -> new HourlyPercentiles(wanted, mode), "samples")
        .addSink("windows", "peer-windows", new StringSerializer(), new StringSerializer(), "hourly");
  }

  static Topology dslTopology(String mode, String topic, long wanted) {
    Materialized<String, Hour, WindowStore<Bytes, byte[]>> store = mode.equals("dsl-default")
        ? Materialized.as("hourly")
        : Materialized.<String, Hour>as(Stores.inMemoryWindowStore("hourly", Duration.ofDays(400), Duration.ofHours(1), false)).withLoggingDisabled().withCachingEnabled();
    Sample sample = new Sample();
    StreamsBuilder builder = new StreamsBuilder();
    builder.stream(topic, Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .peek((key, value) -> count(wanted, mode))
        .filter((source, value) -> !source.isEmpty())
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofHours(1), Duration.ofMillis(GRACE_MS)))
        .aggregate(Hour::new, (source, value, hour) -> { synchronized (sample) { sample.read(value); hour.add(sample); } return hour; },
            store.withKeySerde(Serdes.String()).withValueSerde(new HourSerde()))
        .toStream()
        .map((window, hour) -> new KeyValue<>(window.key() + "," + window.window().start() / HOUR_MS, hour.line()))
        .to("peer-windows", Produced.with(Serdes.String(), Serdes.String()));
    return builder.build();
  }
}
