using System.Globalization;
using Akvam.Abi;

namespace Akvam.Debugger.Lockstep;

/// <summary>Compares the exits of two vCPUs.</summary>
internal static class ExitComparison
{
    /// <summary>The difference, or null. Data that a device supplies are compared only after it has.</summary>
    public static Difference? Compare(VcpuExit reference, VcpuExit subject, bool served)
    {
        string a = Describe(reference, served), b = Describe(subject, served);
        return a == b ? null : new Difference("exit", a, b);
    }

    private static string Describe(VcpuExit exit, bool served)
    {
        switch (exit.Reason)
        {
            case KvmExit.KVM_EXIT_IO:
                IoExit io = exit.Io;
                string items = io.Count == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $" x {io.Count}");
                return string.Create(CultureInfo.InvariantCulture, $"{(io.IsWrite ? "out" : "in")} {io.Port:x} size {io.Size}{items}{Data(io.Data, io.IsWrite || served)}");
            case KvmExit.KVM_EXIT_MMIO:
                MmioExit mmio = exit.Mmio;
                return string.Create(CultureInfo.InvariantCulture, $"{(mmio.IsWrite ? "write" : "read")} {mmio.Address:x} size {mmio.Data.Length}{Data(mmio.Data, mmio.IsWrite || served)}");
            case KvmExit.KVM_EXIT_INTR:
                return "none";
            case KvmExit.KVM_EXIT_HLT:
                return "halted";
            case KvmExit.KVM_EXIT_SHUTDOWN:
                return "shutdown";
            default:
                return string.Create(CultureInfo.InvariantCulture, $"exit reason {exit.Reason}");
        }
    }

    private static string Data(ReadOnlySpan<byte> data, bool known) => known ? $": {Convert.ToHexStringLower(data)}" : "";
}
