using System.Globalization;
using System.Text;
using Iced.Intel;

namespace Akvam.Cpu.Diagnostics;

/// <summary>Machine code as text, for people: address, bytes, instruction.</summary>
public static class CodeListing
{
    private const int BytesColumn = 32;

    /// <summary>Guest and host code of a translation, one below the other.</summary>
    public static string Format(in Translation translation)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"block {translation.Linear:x} ({translation.Bitness}-bit, {translation.Guest.Length} bytes of guest code, {translation.Host.Length} of host code at {translation.HostAddress:x})");
        text.AppendLine(" guest:");
        Append(text, translation.Guest, translation.Linear, translation.Bitness);
        text.AppendLine(" host:");
        Append(text, translation.Host, (ulong)translation.HostAddress, 64);
        return text.ToString();
    }

    /// <summary>One line for each instruction in <paramref name="code"/>.</summary>
    /// <param name="code">Machine code.</param>
    /// <param name="address">Address of its first byte.</param>
    /// <param name="bitness">16, 32 or 64.</param>
    /// <param name="most">Stop after so many instructions.</param>
    public static string Format(ReadOnlySpan<byte> code, ulong address, int bitness, int most = int.MaxValue)
    {
        var text = new StringBuilder();
        Append(text, code, address, bitness, most);
        return text.ToString();
    }

    /// <summary>Bytes and text of the first instruction, or null where there is none.</summary>
    /// <param name="code">Machine code.</param>
    /// <param name="address">Address of its first byte.</param>
    /// <param name="bitness">16, 32 or 64.</param>
    /// <param name="length">Its bytes.</param>
    public static string? Describe(ReadOnlySpan<byte> code, ulong address, int bitness, out int length)
    {
        var decoder = Iced.Intel.Decoder.Create(bitness, code.ToArray());
        decoder.IP = address;
        decoder.Decode(out Instruction x);
        length = x.Length;
        return x.IsInvalid ? null : Format(code[..length], address, bitness, 1).TrimEnd();
    }

    private static void Append(StringBuilder text, ReadOnlySpan<byte> code, ulong address, int bitness, int most = int.MaxValue)
    {
        byte[] bytes = code.ToArray();
        var decoder = Iced.Intel.Decoder.Create(bitness, bytes);
        decoder.IP = address;
        var formatter = new IntelFormatter();
        formatter.Options.HexPrefix = "0x";
        formatter.Options.HexSuffix = "";
        formatter.Options.FirstOperandCharIndex = 8;
        var line = new StringOutput();
        for (int at = 0; at < bytes.Length && most > 0; most--)
        {
            decoder.Decode(out Instruction x);
            int length = Math.Max(1, x.Length);
            formatter.Format(x, line);
            string hex = Convert.ToHexStringLower(bytes.AsSpan(at, Math.Min(length, bytes.Length - at)));
            text.AppendLine(CultureInfo.InvariantCulture, $"  {address + (ulong)at:x16}  {hex.PadRight(BytesColumn)} {line.ToStringAndReset()}");
            at += length;
        }
    }
}
