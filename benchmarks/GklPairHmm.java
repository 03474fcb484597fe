import com.intel.gkl.pairhmm.IntelPairHmm;
import java.io.*;
import java.lang.management.ManagementFactory;
import java.nio.file.*;
import org.broadinstitute.gatk.nativebindings.pairhmm.*;

/** Intel's PairHMM on the regions that bench_pairhmm.py wrote: CPU seconds of each repeat on standard output, log10 likelihoods in a file. */
class GklPairHmm {
    static byte[] bytes(DataInputStream in) throws IOException {
        byte[] read = new byte[in.readInt()];
        in.readFully(read);
        return read;
    }

    public static void main(String[] arguments) throws IOException {
        ReadDataHolder[][] reads;
        HaplotypeDataHolder[][] haplotypes;
        double[][] likelihoods;
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(Path.of(arguments[0]))))) {
            int n = in.readInt();
            reads = new ReadDataHolder[n][];
            haplotypes = new HaplotypeDataHolder[n][];
            likelihoods = new double[n][];
            for (int g = 0; g < n; g++) {
                reads[g] = new ReadDataHolder[in.readInt()];
                haplotypes[g] = new HaplotypeDataHolder[in.readInt()];
                likelihoods[g] = new double[reads[g].length * haplotypes[g].length];
                for (int i = 0; i < reads[g].length; i++) {
                    ReadDataHolder read = reads[g][i] = new ReadDataHolder();
                    read.readBases = bytes(in);
                    read.readQuals = bytes(in);
                    read.insertionGOP = read.deletionGOP = bytes(in);
                    read.overallGCP = bytes(in);
                }
                for (int i = 0; i < haplotypes[g].length; i++) {
                    haplotypes[g][i] = new HaplotypeDataHolder();
                    haplotypes[g][i].haplotypeBases = bytes(in);
                }
            }
        }
        IntelPairHmm kernel = new IntelPairHmm();
        if (!kernel.load(null)) throw new IllegalStateException("GKL does not load on this machine");
        PairHMMNativeArguments options = new PairHMMNativeArguments();
        options.maxNumberOfThreads = 1;
        options.useDoublePrecision = false;
        kernel.initialize(options);
        var clock = ManagementFactory.getThreadMXBean();
        for (int repeat = 0; repeat < Integer.parseInt(arguments[2]); repeat++) {
            long began = clock.getCurrentThreadCpuTime();
            for (int g = 0; g < reads.length; g++) kernel.computeLikelihoods(reads[g], haplotypes[g], likelihoods[g]);
            System.out.println((clock.getCurrentThreadCpuTime() - began) / 1e9);
        }
        try (DataOutputStream out = new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(Path.of(arguments[1]))))) {
            for (double[] region : likelihoods) for (double value : region) out.writeDouble(value);
        }
    }
}
