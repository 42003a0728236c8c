using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Abi;

namespace Akvam.Debugger.Lockstep;

/// <summary>Compares what the KVM ABI shows of two vCPUs.</summary>
internal static class StateComparison
{
    /// <summary>General registers, RIP and RFLAGS, with the flags that the manuals leave undefined.</summary>
    public static void Registers(Vcpu reference, Vcpu subject, List<Difference> found) => Compare("", reference.GetRegs(), subject.GetRegs(), found);

    /// <summary>Everything else: segments, control and debug registers, events, vector and x87 registers, MSRs, the local APIC.</summary>
    public static void System(Vcpu reference, Vcpu subject, uint[] msrs, List<Difference> found)
    {
        Compare("", reference.GetSregs(), subject.GetSregs(), found);
        Compare("", reference.GetDebugregs(), subject.GetDebugregs(), found);
        Compare("events.", reference.GetVcpuEvents(), subject.GetVcpuEvents(), found);
        Compare("", reference.GetMpState(), subject.GetMpState(), found);
        Compare("", reference.GetXcrs(), subject.GetXcrs(), found);
        Compare("xsave.", reference.GetXsave(), subject.GetXsave(), found);
        Compare("lapic.", reference.GetLapic(), subject.GetLapic(), found);
        CompareMsrs(reference, subject, msrs, found);
        if (reference.InstructionCount != subject.InstructionCount)
        {
            found.Add(new Difference("instructions", Count(reference), Count(subject)));
        }
    }

    private static string Count(Vcpu vcpu) => vcpu.InstructionCount.ToString("N0", CultureInfo.InvariantCulture);

    private static void CompareMsrs(Vcpu reference, Vcpu subject, uint[] msrs, List<Difference> found)
    {
        var a = new kvm_msr_entry[msrs.Length];
        var b = new kvm_msr_entry[msrs.Length];
        for (int n = 0; n < msrs.Length; n++)
        {
            a[n].index = b[n].index = msrs[n];
        }

        int count = Math.Min(reference.GetMsrs(a), subject.GetMsrs(b));
        for (int n = 0; n < count; n++)
        {
            if (a[n].data != b[n].data)
            {
                found.Add(new Difference($"msr {msrs[n]:x}", Hex(a[n].data), Hex(b[n].data)));
            }
        }
    }

    private static void Compare<T>(string prefix, T a, T b, List<Difference> found)
        where T : unmanaged
    {
        ReadOnlySpan<byte> x = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref a)), y = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(ref b));
        if (!x.SequenceEqual(y))
        {
            CompareFields(prefix, typeof(T), a, b, found);
        }
    }

    private static void CompareFields(string prefix, Type type, object a, object b, List<Difference> found)
    {
        if (type.GetCustomAttribute<InlineArrayAttribute>() is { } array)
        {
            CompareElements(prefix.TrimEnd('.'), type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)[0].FieldType, array.Length, a, b, found);
            return;
        }

        foreach (FieldInfo field in type.GetFields(BindingFlags.Instance | BindingFlags.Public))
        {
            object x = field.GetValue(a)!, y = field.GetValue(b)!;
            if (field.FieldType.IsPrimitive)
            {
                if (!x.Equals(y))
                {
                    found.Add(new Difference(prefix + field.Name, Hex(x), Hex(y)));
                }
            }
            else
            {
                CompareFields($"{prefix}{field.Name}.", field.FieldType, x, y, found);
            }
        }
    }

    private static void CompareElements(string name, Type element, int length, object a, object b, List<Difference> found)
    {
        int size = Marshal.SizeOf(element);
        byte[] x = Bytes(a, length * size), y = Bytes(b, length * size);
        for (int n = 0; n < length; n++)
        {
            if (!x.AsSpan(n * size, size).SequenceEqual(y.AsSpan(n * size, size)))
            {
                found.Add(new Difference($"{name}[{n}]", Convert.ToHexStringLower(x.AsSpan(n * size, size)), Convert.ToHexStringLower(y.AsSpan(n * size, size))));
            }
        }
    }

    private static byte[] Bytes(object value, int size)
    {
        var bytes = new byte[size];
        GCHandle handle = GCHandle.Alloc(value, GCHandleType.Pinned);
        try
        {
            Marshal.Copy(handle.AddrOfPinnedObject(), bytes, 0, size);
        }
        finally
        {
            handle.Free();
        }

        return bytes;
    }

    private static string Hex(object value) => string.Create(CultureInfo.InvariantCulture, $"{value:x}");
}
