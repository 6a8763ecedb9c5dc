import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.api.common.RuntimeExecutionMode;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichFlatMapFunction;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.util.Collector;

/**
 * A batch job over numbered tasks, each of which a Python process beside the operator carries out (pipelines/harness.py).
 *
 * <p>Arguments: NAME PYTHON PLAN run N, or NAME PYTHON PLAN exchange N. PLAN is the file that the Python processes read
 * the tasks from. `run`: numbers to processes. `exchange`: numbers to processes that send (partition, bytes); these
 * through Flink's shuffle, which sorts and spills; all bytes of a partition to one process that receives.
 */
public final class Tasks {
  public static void main(String[] arguments) throws Exception {
    String name = arguments[0];
    String[] command = {arguments[1], "-m", "pipelines.harness", arguments[2]};
    boolean exchanges = arguments[3].equals("exchange");
    StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
    environment.setRuntimeMode(RuntimeExecutionMode.BATCH);
    DataStream<Long> numbers =
        environment.fromSequence(0, Long.parseLong(arguments[4]) - 1).setParallelism(1).rebalance();
    if (exchanges) {
      numbers
          .flatMap(new Send(command))
          .name("send")
          .returns(Types.TUPLE(Types.INT, Types.PRIMITIVE_ARRAY(Types.BYTE)))
          .keyBy(record -> record.f0)
          .process(new Receive(command))
          .name("receive")
          .sinkTo(new DiscardingSink<>());
    } else {
      numbers.flatMap(new Run(command)).name("run").returns(Types.LONG).sinkTo(new DiscardingSink<>());
    }
    environment.execute(name);
  }

  /** A Python process, which lives as long as its operator. It says what is wrong on the task manager's own output. */
  private static final class Harness implements AutoCloseable {
    private final Process process;
    final DataOutputStream out;
    final DataInputStream in;

    Harness(String[] command, String mode) throws IOException {
      ProcessBuilder builder = new ProcessBuilder(command);
      builder.command().add(mode);
      process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
      out = new DataOutputStream(new BufferedOutputStream(process.getOutputStream(), 1 << 16));
      in = new DataInputStream(new BufferedInputStream(process.getInputStream(), 1 << 16));
    }

    @Override
    public void close() {
      process.destroyForcibly();
    }
  }

  private abstract static class WithHarness<T> extends RichFlatMapFunction<Long, T> {
    private final String[] command;
    private final String mode;
    protected transient Harness harness;

    WithHarness(String[] command, String mode) {
      this.command = command;
      this.mode = mode;
    }

    @Override
    public void open(OpenContext context) throws IOException {
      harness = new Harness(command, mode);
    }

    @Override
    public void close() {
      if (harness != null) {
        harness.close();
      }
    }
  }

  /** Number in; number out once the task is settled. */
  private static final class Run extends WithHarness<Long> {
    Run(String[] command) {
      super(command, "run");
    }

    @Override
    public void flatMap(Long number, Collector<Long> collected) throws IOException {
      harness.out.writeLong(number);
      harness.out.flush();
      harness.in.readInt();
      collected.collect(number);
    }
  }

  /** Number in; (partition, bytes) out until the process sends partition -1. */
  private static final class Send extends WithHarness<Tuple2<Integer, byte[]>> {
    Send(String[] command) {
      super(command, "send");
    }

    @Override
    public void flatMap(Long number, Collector<Tuple2<Integer, byte[]>> collected) throws IOException {
      harness.out.writeLong(number);
      harness.out.flush();
      for (int partition = harness.in.readInt(); partition >= 0; partition = harness.in.readInt()) {
        byte[] block = new byte[harness.in.readInt()];
        harness.in.readFully(block);
        collected.collect(Tuple2.of(partition, block));
      }
    }
  }

  /** (partition, bytes) in, a partition after the other; partition out once it has been received. */
  private static final class Receive extends KeyedProcessFunction<Integer, Tuple2<Integer, byte[]>, Integer> {
    private final String[] command;
    private transient Harness harness;
    private transient int open;

    Receive(String[] command) {
      this.command = command;
    }

    @Override
    public void open(OpenContext context) throws IOException {
      harness = new Harness(command, "receive");
      open = -1;
    }

    @Override
    public void processElement(Tuple2<Integer, byte[]> record, Context context, Collector<Integer> collected)
        throws IOException {
      if (open != record.f0) {
        open = record.f0;
        harness.out.writeInt(open);
        // A batch job's time stands still until the last record of a key.
        context.timerService().registerEventTimeTimer(Long.MAX_VALUE);
      }
      harness.out.writeInt(record.f1.length);
      harness.out.write(record.f1);
    }

    @Override
    public void onTimer(long time, OnTimerContext context, Collector<Integer> collected) throws IOException {
      harness.out.writeInt(-1);
      harness.out.flush();
      collected.collect(harness.in.readInt());
    }

    @Override
    public void close() {
      if (harness != null) {
        harness.close();
      }
    }
  }
}
