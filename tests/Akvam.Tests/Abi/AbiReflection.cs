using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace Akvam.Tests.Abi;

/// <summary>Reads sizes, offsets and constants out of Akvam.Abi's types and says how C would name each of them.</summary>
internal static class AbiReflection
{
    private static readonly BindingFlags s_fields = BindingFlags.Public | BindingFlags.Instance;

    /// <summary>Structures that have a native counterpart of the same name; the others are nested parts and inline arrays.</summary>
    public static IEnumerable<Type> NativeStructs(Assembly assembly) =>
        assembly.GetExportedTypes().Where(type => type is { IsValueType: true, IsEnum: false, IsNested: false } && IsNativeName(type.Name));

    public static bool IsNativeName(string name) => name.StartsWith("kvm_", StringComparison.Ordinal) || name.StartsWith("pvclock_", StringComparison.Ordinal);

    public static bool IsInlineArray(Type type) => type.IsDefined(typeof(InlineArrayAttribute), inherit: false);

    /// <summary>Size of the structure, and for every field, anonymous parts included, its offset, size and signedness.</summary>
    public static IEnumerable<AbiFact> LayoutFacts(Type type)
    {
        string? guard = AbiExceptions.LaterLayouts.GetValueOrDefault(type.Name);
        yield return new AbiFact($"sizeof:{type.Name}", $"sizeof(struct {type.Name})", guard, SizeOf(type));

        foreach (AbiFact fact in FieldFacts(type, type, "", 0, guard))
        {
            yield return fact;
        }
    }

    /// <summary>Every public constant and enum member of a static class or enum.</summary>
    public static IEnumerable<AbiFact> ConstantFacts(Type type)
    {
        foreach (FieldInfo field in type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(field => field.IsLiteral))
        {
            object value = field.GetRawConstantValue()!;
            yield return value is string text
                ? new AbiFact($"value:{field.Name}", $"sizeof({field.Name}) - 1 == {text.Length} && !memcmp({field.Name}, {CString(text)}, {text.Length})", field.Name, 1)
                : new AbiFact($"value:{field.Name}", field.Name, field.Name, unchecked((ulong)(Int128)Convert.ToDecimal(value)));
        }
    }

    public static ulong SizeOf(Type type) =>
        (ulong)(int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    /// <summary>Managed offset, which is what counts when a structure is laid over memory (Marshal.OffsetOf refuses inline arrays).</summary>
    public static ulong OffsetOf(Type type, FieldInfo field)
    {
        DynamicMethod method = new("OffsetOf", typeof(long), Type.EmptyTypes, typeof(AbiReflection).Module, skipVisibility: true);
        ILGenerator il = method.GetILGenerator();
        LocalBuilder local = il.DeclareLocal(type);
        il.Emit(OpCodes.Ldloca, local);
        il.Emit(OpCodes.Ldflda, field);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Ldloca, local);
        il.Emit(OpCodes.Conv_U);
        il.Emit(OpCodes.Sub);
        il.Emit(OpCodes.Conv_I8);
        il.Emit(OpCodes.Ret);
        return (ulong)((Func<long>)method.CreateDelegate(typeof(Func<long>)))();
    }

    private static IEnumerable<AbiFact> FieldFacts(Type outer, Type part, string prefix, ulong start, string? outerGuard)
    {
        foreach (FieldInfo field in part.GetFields(s_fields))
        {
            string path = prefix + field.Name;
            string name = $"{outer.Name}.{path}";
            string? guard = AbiExceptions.LaterLayouts.GetValueOrDefault(name) ?? outerGuard;
            string access = $"((struct {outer.Name} *)0)->{path}";
            ulong offset = start + OffsetOf(part, field);
            yield return new AbiFact($"offset:{name}", $"offsetof(struct {outer.Name}, {path})", guard, offset);
            yield return new AbiFact($"size:{name}", $"sizeof({access})", guard, SizeOf(field.FieldType));

            if (field.FieldType.IsPrimitive)
            {
                bool signed = Type.GetTypeCode(field.FieldType) is TypeCode.SByte or TypeCode.Int16 or TypeCode.Int32 or TypeCode.Int64;
                yield return new AbiFact($"signed:{name}", $"SIGNED({access})", guard, signed ? 1u : 0u);
            }
            else if (field.FieldType.IsNested && !IsInlineArray(field.FieldType))
            {
                foreach (AbiFact fact in FieldFacts(outer, field.FieldType, path + ".", offset, guard))
                {
                    yield return fact;
                }
            }
        }
    }

    private static string CString(string text) => "\"" + string.Concat(text.Select(c => char.IsAsciiLetterOrDigit(c) ? c.ToString() : $"\\{Convert.ToString(c, 8).PadLeft(3, '0')}")) + "\"";
}
