using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Akvam.Abi;
using Akvam.Tests.Architecture;

namespace Akvam.Tests.Abi;

/// <summary>Every structure, field and constant of Akvam.Abi against the kernel headers of linux-libc-dev.</summary>
public sealed class NativeLayoutTests
{
    private static Assembly AbiAssembly => typeof(KvmApi).Assembly;

    [Fact]
    public void Structures_have_the_size_and_the_fields_of_the_kernel_headers()
    {
        List<AbiFact> facts = AbiReflection.NativeStructs(AbiAssembly)
            .Where(type => !AbiExceptions.NotExported.Contains(type.Name))
            .SelectMany(AbiReflection.LayoutFacts)
            .ToList();

        Assert.True(facts.Count > 700, $"only {facts.Count} facts: reflection found too little");
        Violations.None(NativeProbe.Compare(facts, NativeProbe.Ask(facts)));
    }

    [Fact]
    public void Constants_have_the_value_of_the_kernel_headers()
    {
        List<AbiFact> facts = AbiAssembly.GetExportedTypes()
            .Where(type => type.IsEnum || (type.IsAbstract && type.IsSealed))
            .SelectMany(AbiReflection.ConstantFacts)
            .Where(fact => !AbiExceptions.NotExported.Contains(fact.CExpression))
            .ToList();

        Assert.True(facts.Count > 450, $"only {facts.Count} facts: reflection found too little");
        Violations.None(NativeProbe.Compare(facts, NativeProbe.Ask(facts)));
    }

    [Fact]
    public void Structures_can_be_laid_over_memory()
    {
        MethodInfo holdsReferences = typeof(RuntimeHelpers).GetMethod(nameof(RuntimeHelpers.IsReferenceOrContainsReferences))!;
        foreach (Type type in AbiAssembly.GetExportedTypes().Where(type => type is { IsValueType: true, IsEnum: false }))
        {
            Assert.False((bool)holdsReferences.MakeGenericMethod(type).Invoke(null, null)!, $"{type} holds references");
            Assert.False(type.IsAutoLayout, $"{type} has no fixed layout");
        }
    }

    [Fact]
    public void Every_structure_is_native_or_an_array_inside_one() => Assert.All(
        AbiAssembly.GetExportedTypes().Where(type => type is { IsValueType: true, IsEnum: false, IsNested: false }),
        type => Assert.True(AbiReflection.IsNativeName(type.Name) || AbiReflection.IsInlineArray(type), type.Name));

    [Fact]
    public void Requests_are_distinct()
    {
        List<uint> requests = typeof(KvmIoctl).GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (uint)field.GetRawConstantValue()!).ToList();

        Assert.Equal(requests.Count, requests.Distinct().Count());
        Assert.All(requests, request => Assert.Equal(KvmApi.KVMIO, (request >> 8) & 0xFF));
    }

    [Fact]
    public void Exceptions_are_about_things_that_exist()
    {
        HashSet<string> facts = AbiAssembly.GetExportedTypes()
            .SelectMany(type => AbiReflection.IsNativeName(type.Name) && !type.IsNested ? AbiReflection.LayoutFacts(type) : AbiReflection.ConstantFacts(type))
            .Select(fact => fact.Key[(fact.Key.IndexOf(':', StringComparison.Ordinal) + 1)..])
            .ToHashSet();

        Assert.Subset(facts, AbiExceptions.LaterConstants.Keys.Concat(AbiExceptions.LaterLayouts.Keys).Concat(AbiExceptions.NotExported).ToHashSet());
    }

    [Fact]
    public void A_wrong_layout_is_found()
    {
        List<AbiFact> facts = AbiReflection.LayoutFacts(typeof(Wrong.kvm_dtable)).Concat(AbiReflection.LayoutFacts(typeof(Wrong.kvm_clock_data))).ToList();

        Assert.Equal(
            [
                "offset:kvm_dtable.padding: Akvam.Abi 0x8, kernel headers 0xa",
                "size:kvm_dtable.padding: Akvam.Abi 0x2, kernel headers 0x6",
                "offset:kvm_dtable.limit: Akvam.Abi 0xa, kernel headers 0x8",
                "sizeof:kvm_clock_data: Akvam.Abi 0x8, kernel headers 0x30",
                "signed:kvm_clock_data.clock: Akvam.Abi 0x1, kernel headers 0x0",
            ],
            NativeProbe.Compare(facts, NativeProbe.Ask(facts)));
    }

    [Fact]
    public void A_wrong_or_unknown_constant_is_found()
    {
        List<AbiFact> facts = AbiReflection.ConstantFacts(typeof(Wrong)).ToList();

        Assert.Equal(
            [
                "value:KVM_API_VERSION: Akvam.Abi 0xd, kernel headers 0xc",
                "value:KVM_NO_SUCH_NAME: not in the kernel headers",
                "value:KVM_SIGNATURE: Akvam.Abi 0x1, kernel headers 0x0",
            ],
            NativeProbe.Compare(facts, NativeProbe.Ask(facts)));
    }

    [Fact]
    public void An_unknown_field_is_an_error_and_not_skipped()
    {
        List<AbiFact> facts = AbiReflection.LayoutFacts(typeof(Wrong.kvm_mp_state)).ToList();

        Assert.Contains("no_such_field", Assert.Throws<InvalidOperationException>(() => NativeProbe.Ask(facts)).Message, StringComparison.Ordinal);
    }

    /// <summary>Mistakes, for the tests that show that mistakes are found.</summary>
    private static class Wrong
    {
        public const uint KVM_API_VERSION = 13;
        public const uint KVM_NO_SUCH_NAME = 1;
        public const string KVM_SIGNATURE = "KVMKVMKVM";

        [StructLayout(LayoutKind.Sequential)]
        public struct kvm_dtable
        {
            public ulong @base;
            public ushort padding;
            public ushort limit;
        }

        [StructLayout(LayoutKind.Sequential)]
        public struct kvm_clock_data
        {
            public long clock;
        }

        [StructLayout(LayoutKind.Sequential)]
        public struct kvm_mp_state
        {
            public uint no_such_field;
        }
    }
}
